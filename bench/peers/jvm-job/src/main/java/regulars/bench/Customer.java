package regulars.bench;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** What is remembered of one customer, her orders apart: those lie beside it, one by one, so that an event stays cheap. */
public final class Customer {
  static final int SEEN_MAX = 128;
  static final int CARTS_MAX = 16;

  public long orders;
  public long grossMinor;
  public long discountMinor;
  public long refundMinor;
  /** When the engine's timer for this customer is set, 0 for none. */
  public long timerMs;

  /** Hashes of message ids with the times of their events, oldest first. */
  long[] seen = new long[8];
  long[] seenMs = new long[8];
  int seenCount;

  final Map<String, Score> scores = new HashMap<>();
  final Map<String, Cart> carts = new LinkedHashMap<>(4);

  /** A decayed score: its value at a moment. */
  static final class Score {
    double value;
    long atMs;

    double at(long nowMs) {
      return value * Math.pow(0.5, (nowMs - atMs) / (double) Job.HALF_LIFE_MS);
    }
  }

  /** Whether a message was seen within the last day and the last SEEN_MAX messages; remembers it. */
  boolean alreadySeen(String messageId, long nowMs) {
    long hash = hash(messageId);
    for (int i = seenCount - 1; i >= 0; i--) {
      if (seen[i] == hash) {
        return true;
      }
    }
    int old = 0;
    while (old < seenCount && (seenMs[old] < nowMs - Job.DAY_MS || seenCount - old >= SEEN_MAX)) {
      old++;
    }
    if (old > 0) {
      System.arraycopy(seen, old, seen, 0, seenCount - old);
      System.arraycopy(seenMs, old, seenMs, 0, seenCount - old);
      seenCount -= old;
    }
    if (seenCount == seen.length) {
      seen = Arrays.copyOf(seen, seenCount * 2);
      seenMs = Arrays.copyOf(seenMs, seenCount * 2);
    }
    seen[seenCount] = hash;
    seenMs[seenCount++] = nowMs;
    return false;
  }

  /** FNV-1a over the characters, mixed once more: 64 bits. */
  private static long hash(String text) {
    long hash = 0xcbf29ce484222325L;
    for (int i = 0; i < text.length(); i++) {
      hash = (hash ^ text.charAt(i)) * 0x100000001b3L;
    }
    hash = (hash ^ (hash >>> 32)) * 0xd6e8feb86659fd93L;
    return hash ^ (hash >>> 32);
  }

  public Customer copy() {
    Customer other = new Customer();
    other.orders = orders;
    other.grossMinor = grossMinor;
    other.discountMinor = discountMinor;
    other.refundMinor = refundMinor;
    other.timerMs = timerMs;
    other.seen = seen.clone();
    other.seenMs = seenMs.clone();
    other.seenCount = seenCount;
    scores.forEach((name, score) -> {
      Score twin = new Score();
      twin.value = score.value;
      twin.atMs = score.atMs;
      other.scores.put(name, twin);
    });
    carts.forEach((name, cart) -> other.carts.put(name, cart.copy()));
    return other;
  }

  public void write(DataOutput out) throws IOException {
    Binary.writeLong(out, orders);
    Binary.writeLong(out, grossMinor);
    Binary.writeLong(out, discountMinor);
    Binary.writeLong(out, refundMinor);
    Binary.writeLong(out, timerMs);
    Binary.writeInt(out, seenCount);
    for (int i = 0; i < seenCount; i++) {
      out.writeLong(seen[i]);
      Binary.writeLong(out, i == 0 ? seenMs[0] : seenMs[i] - seenMs[i - 1]);
    }
    Binary.writeInt(out, scores.size());
    for (Map.Entry<String, Score> score : scores.entrySet()) {
      Binary.writeText(out, score.getKey());
      out.writeDouble(score.getValue().value);
      out.writeLong(score.getValue().atMs);
    }
    Binary.writeInt(out, carts.size());
    for (Map.Entry<String, Cart> cart : carts.entrySet()) {
      Binary.writeText(out, cart.getKey());
      cart.getValue().write(out);
    }
  }

  public static Customer read(DataInput in) throws IOException {
    Customer customer = new Customer();
    customer.orders = Binary.readLong(in);
    customer.grossMinor = Binary.readLong(in);
    customer.discountMinor = Binary.readLong(in);
    customer.refundMinor = Binary.readLong(in);
    customer.timerMs = Binary.readLong(in);
    customer.seenCount = Binary.readInt(in);
    customer.seen = new long[Math.max(8, customer.seenCount)];
    customer.seenMs = new long[Math.max(8, customer.seenCount)];
    long ms = 0;
    for (int i = 0; i < customer.seenCount; i++) {
      customer.seen[i] = in.readLong();
      ms += Binary.readLong(in);
      customer.seenMs[i] = ms;
    }
    int scores = Binary.readInt(in);
    for (int i = 0; i < scores; i++) {
      String name = Binary.readText(in);
      Score score = new Score();
      score.value = in.readDouble();
      score.atMs = in.readLong();
      customer.scores.put(name, score);
    }
    int carts = Binary.readInt(in);
    for (int i = 0; i < carts; i++) {
      String name = Binary.readText(in);
      customer.carts.put(name, Cart.read(in));
    }
    return customer;
  }
}
