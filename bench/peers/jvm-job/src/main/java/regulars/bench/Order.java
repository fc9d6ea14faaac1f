package regulars.bench;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** One order in the ledger. Refunds may come before it. */
public final class Order {
  public boolean placed;
  public long discountMinor;
  public List<ShopEvent.Line> lines = List.of();
  public final Map<String, Long> refunds = new HashMap<>(2);

  /** What the order adds to the customer's totals as it stands: orders, gross, discount, refund. */
  public long[] contribution() {
    if (!placed) {
      return new long[4];
    }
    long gross = 0;
    for (ShopEvent.Line line : lines) {
      gross += line.priceMinor * line.quantity;
    }
    long refund = 0;
    for (long amount : refunds.values()) {
      refund += amount;
    }
    return new long[] {1, gross, discountMinor, refund};
  }

  public Order copy() {
    Order other = new Order();
    other.placed = placed;
    other.discountMinor = discountMinor;
    other.lines = lines; // never changed in place
    other.refunds.putAll(refunds);
    return other;
  }

  public void write(DataOutput out) throws IOException {
    out.writeBoolean(placed);
    Binary.writeLong(out, discountMinor);
    Binary.writeInt(out, lines.size());
    for (ShopEvent.Line line : lines) {
      line.write(out);
    }
    Binary.writeInt(out, refunds.size());
    for (Map.Entry<String, Long> refund : refunds.entrySet()) {
      Binary.writeText(out, refund.getKey());
      Binary.writeLong(out, refund.getValue());
    }
  }

  public static Order read(DataInput in) throws IOException {
    Order order = new Order();
    order.placed = in.readBoolean();
    order.discountMinor = Binary.readLong(in);
    int count = Binary.readInt(in);
    order.lines = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      order.lines.add(ShopEvent.Line.read(in));
    }
    int refunds = Binary.readInt(in);
    for (int i = 0; i < refunds; i++) {
      String id = Binary.readText(in);
      order.refunds.put(id, Binary.readLong(in));
    }
    return order;
  }
}
