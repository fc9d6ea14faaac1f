package regulars.bench.streams;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import regulars.bench.Customer;
import regulars.bench.Job;
import regulars.bench.Order;
import regulars.bench.ShopEvent;

/** One task (partition): customers, their orders, and an index of when to look at whom. */
final class JobProcessor implements Processor<String, ShopEvent, String, String> {
  static final String CUSTOMERS = "customers";
  static final String ORDERS = "orders";
  static final String DUE = "due";
  static final String TRIGGERS = "triggers";
  static final String TOTALS = "totals";
  private static final byte[] NOTHING = new byte[0];
  private static final boolean ORDER_OUTPUT = Boolean.parseBoolean(KafkaStreamsPeer.variable("BENCH_ORDER_OUTPUT", "false"));

  private ProcessorContext<String, String> context;
  private KeyValueStore<String, Customer> customers;
  private KeyValueStore<String, Order> orders;
  private KeyValueStore<Bytes, byte[]> due;

  @Override
  public void init(ProcessorContext<String, String> context) {
    this.context = context;
    customers = context.getStateStore(CUSTOMERS);
    orders = context.getStateStore(ORDERS);
    due = context.getStateStore(DUE);
    context.schedule(
        Duration.ofMillis(200), PunctuationType.WALL_CLOCK_TIME, wallMs -> lookAtTheDue(context.currentStreamTimeMs()));
  }

  @Override
  public void process(Record<String, ShopEvent> record) {
    String user = record.key();
    ShopEvent event = record.value();
    Customer customer = customers.get(user);
    if (event.kind == ShopEvent.Kind.TOTALS_ASKED) {
      Customer known = customer == null ? new Customer() : customer;
      context.forward(record.withValue(Job.totals(known, user, event.timestampMs)), TOTALS);
      return;
    }
    if (customer == null) {
      customer = new Customer();
    }
    Job.Ledger ledger = new Job.Ledger() {
      @Override
      public Order get(String orderId) {
        return orders.get(user + '|' + orderId);
      }

      @Override
      public void put(String orderId, Order order) {
        orders.put(user + '|' + orderId, order);
      }
    };
    boolean changed = Job.apply(
        customer, event, ledger, trigger -> context.forward(record.withValue(trigger), TRIGGERS));
    if (ORDER_OUTPUT && event.kind == ShopEvent.Kind.COMPLETED) {
      String told = "{\"customer\":\"" + user + "\",\"order_id\":\"" + event.orderId + "\"}";
      context.forward(record.withValue(told), TRIGGERS);
    }
    if (changed) {
      setTimer(user, customer);
      customers.put(user, customer);
    }
  }

  /** A timer that is set stays: it fires at the latest when it must, and is then set anew where something still waits. */
  private void setTimer(String user, Customer customer) {
    if (customer.timerMs == 0) {
      customer.timerMs = Job.nextDueMs(customer);
      if (customer.timerMs != 0) {
        due.put(key(customer.timerMs, user), NOTHING);
      }
    }
  }

  private void lookAtTheDue(long streamMs) {
    List<Bytes> reached = new ArrayList<>();
    try (KeyValueIterator<Bytes, byte[]> found = due.range(key(0, ""), key(streamMs + 1, ""))) {
      while (found.hasNext()) {
        KeyValue<Bytes, byte[]> entry = found.next();
        reached.add(entry.key);
      }
    }
    for (Bytes key : reached) {
      String user = new String(key.get(), Long.BYTES, key.get().length - Long.BYTES, StandardCharsets.UTF_8);
      Customer customer = customers.get(user);
      Job.sendDue(customer, user, streamMs + 1,
          trigger -> context.forward(new Record<>(user, trigger, streamMs), TRIGGERS));
      due.delete(key);
      customer.timerMs = 0;
      setTimer(user, customer);
      customers.put(user, customer);
    }
  }

  private static Bytes key(long ms, String user) {
    byte[] text = user.getBytes(StandardCharsets.UTF_8);
    return Bytes.wrap(ByteBuffer.allocate(Long.BYTES + text.length).putLong(ms).put(text).array());
  }
}
