package regulars.bench;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** One cart: quantity and price by product, the last change, and whether its trigger is waiting or was sent. */
public final class Cart {
  public long changedMs;
  public boolean armed;
  public boolean sent;
  /** Product id to {quantity, price}. */
  public final Map<String, long[]> lines = new LinkedHashMap<>(4);

  public long dueMs() {
    return changedMs + Job.CART_DELAY_MS;
  }

  public long valueMinor() {
    long value = 0;
    for (long[] line : lines.values()) {
      value += line[0] * line[1];
    }
    return value;
  }

  Cart copy() {
    Cart other = new Cart();
    other.changedMs = changedMs;
    other.armed = armed;
    other.sent = sent;
    lines.forEach((product, line) -> other.lines.put(product, line.clone()));
    return other;
  }

  void write(DataOutput out) throws IOException {
    Binary.writeLong(out, changedMs);
    out.writeByte((armed ? 1 : 0) | (sent ? 2 : 0));
    Binary.writeInt(out, lines.size());
    for (Map.Entry<String, long[]> line : lines.entrySet()) {
      Binary.writeText(out, line.getKey());
      Binary.writeLong(out, line.getValue()[0]);
      Binary.writeLong(out, line.getValue()[1]);
    }
  }

  static Cart read(DataInput in) throws IOException {
    Cart cart = new Cart();
    cart.changedMs = Binary.readLong(in);
    int flags = in.readByte();
    cart.armed = (flags & 1) != 0;
    cart.sent = (flags & 2) != 0;
    int count = Binary.readInt(in);
    for (int i = 0; i < count; i++) {
      String product = Binary.readText(in);
      cart.lines.put(product, new long[] {Binary.readLong(in), Binary.readLong(in)});
    }
    return cart;
  }
}
