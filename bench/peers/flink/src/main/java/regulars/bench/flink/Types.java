package regulars.bench.flink;

import java.io.IOException;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import regulars.bench.Customer;
import regulars.bench.Order;
import regulars.bench.ShopEvent;

/** How events and state become bytes: the job's own compact form, where Flink would fall back to Kryo for maps and lists. */
final class Types {
  static final TypeInformation<ShopEvent> EVENT = new EventType();

  private Types() {}

  /** What the three serializers share: objects of variable length that are copied by the job's own code. */
  abstract static class Compact<T> extends TypeSerializerSingleton<T> {
    private static final long serialVersionUID = 1;

    @Override
    public boolean isImmutableType() {
      return false;
    }

    @Override
    public T createInstance() {
      return null;
    }

    @Override
    public T copy(T from, T reuse) {
      return copy(from);
    }

    @Override
    public int getLength() {
      return -1;
    }

    @Override
    public T deserialize(T reuse, DataInputView in) throws IOException {
      return deserialize(in);
    }

    @Override
    public void copy(DataInputView in, DataOutputView out) throws IOException {
      serialize(deserialize(in), out);
    }
  }

  /** Customers. */
  public static final class CustomerSerializer extends Compact<Customer> {
    private static final long serialVersionUID = 1;

    @Override
    public Customer copy(Customer from) {
      return from.copy();
    }

    @Override
    public void serialize(Customer customer, DataOutputView out) throws IOException {
      customer.write(out);
    }

    @Override
    public Customer deserialize(DataInputView in) throws IOException {
      return Customer.read(in);
    }

    @Override
    public TypeSerializerSnapshot<Customer> snapshotConfiguration() {
      return new Snapshot();
    }

    /** Its entry in checkpoints. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Customer> {
      public Snapshot() {
        super(CustomerSerializer::new);
      }
    }
  }

  /** Orders. */
  public static final class OrderSerializer extends Compact<Order> {
    private static final long serialVersionUID = 1;

    @Override
    public Order copy(Order from) {
      return from.copy();
    }

    @Override
    public void serialize(Order order, DataOutputView out) throws IOException {
      order.write(out);
    }

    @Override
    public Order deserialize(DataInputView in) throws IOException {
      return Order.read(in);
    }

    @Override
    public TypeSerializerSnapshot<Order> snapshotConfiguration() {
      return new Snapshot();
    }

    /** Its entry in checkpoints. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Order> {
      public Snapshot() {
        super(OrderSerializer::new);
      }
    }
  }

  /** Events; nobody changes one after it was read, so a copy is the event itself. */
  public static final class EventSerializer extends Compact<ShopEvent> {
    private static final long serialVersionUID = 1;

    @Override
    public ShopEvent copy(ShopEvent from) {
      return from;
    }

    @Override
    public void serialize(ShopEvent event, DataOutputView out) throws IOException {
      event.write(out);
    }

    @Override
    public ShopEvent deserialize(DataInputView in) throws IOException {
      return ShopEvent.read(in);
    }

    @Override
    public TypeSerializerSnapshot<ShopEvent> snapshotConfiguration() {
      return new Snapshot();
    }

    /** Its entry in checkpoints. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ShopEvent> {
      public Snapshot() {
        super(EventSerializer::new);
      }
    }
  }

  /** The type of the event stream. */
  private static final class EventType extends TypeInformation<ShopEvent> {
    private static final long serialVersionUID = 1;

    @Override
    public boolean isBasicType() {
      return false;
    }

    @Override
    public boolean isTupleType() {
      return false;
    }

    @Override
    public int getArity() {
      return 1;
    }

    @Override
    public int getTotalFields() {
      return 1;
    }

    @Override
    public Class<ShopEvent> getTypeClass() {
      return ShopEvent.class;
    }

    @Override
    public boolean isKeyType() {
      return false;
    }

    @Override
    public TypeSerializer<ShopEvent> createSerializer(SerializerConfig config) {
      return new EventSerializer();
    }

    @Override
    public String toString() {
      return "ShopEvent";
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof EventType;
    }

    @Override
    public int hashCode() {
      return EventType.class.hashCode();
    }

    @Override
    public boolean canEqual(Object other) {
      return other instanceof EventType;
    }
  }
}
