package regulars.bench;

import java.util.Comparator;
import java.util.Iterator;
import java.util.Map;
import java.util.function.Consumer;

/** The job's rules (bench/job.py says them in words), for one customer at a time; engines bring state, timers, output. */
public final class Job {
  static final long DAY_MS = 86_400_000L;
  static final long HALF_LIFE_MS = 14 * DAY_MS;
  static final long CART_DELAY_MS = 30 * 60_000L;
  static final long CART_KEPT_MS = 30 * DAY_MS;
  static final int CATEGORIES_MAX = 32;

  /** Where an engine keeps a customer's orders. */
  public interface Ledger {
    Order get(String orderId);

    void put(String orderId, Order order);
  }

  private Job() {}

  /** Applies one event. Returns false if it was a repeat: then nothing has changed. Triggers go out as JSON. */
  public static boolean apply(Customer customer, ShopEvent event, Ledger ledger, Consumer<String> triggers) {
    long nowMs = event.timestampMs;
    if (customer.alreadySeen(event.messageId, nowMs)) {
      return false;
    }
    sendDue(customer, event.userId, nowMs, triggers);
    switch (event.kind) {
      case VIEWED -> interest(customer, event, 1.0);
      case ADDED -> {
        interest(customer, event, 4.0);
        changeCart(customer, event, true);
      }
      case REMOVED -> changeCart(customer, event, false);
      case COMPLETED -> completed(customer, event, ledger);
      case REFUNDED -> refunded(customer, event, ledger);
      default -> { }
    }
    return true;
  }

  /** Sends what was due strictly before a moment. */
  public static void sendDue(Customer customer, String userId, long beforeMs, Consumer<String> triggers) {
    for (Map.Entry<String, Cart> entry : customer.carts.entrySet()) {
      Cart cart = entry.getValue();
      if (cart.armed && cart.dueMs() < beforeMs) {
        cart.armed = false;
        cart.sent = true;
        triggers.accept(trigger(userId, entry.getKey(), cart));
      }
    }
  }

  /** The earliest moment at which a trigger is due, 0 for none. */
  public static long nextDueMs(Customer customer) {
    long next = 0;
    for (Cart cart : customer.carts.values()) {
      if (cart.armed && (next == 0 || cart.dueMs() < next)) {
        next = cart.dueMs();
      }
    }
    return next;
  }

  /** The customer's totals as JSON, her interests as of a moment. */
  public static String totals(Customer customer, String userId, long atMs) {
    StringBuilder text = new StringBuilder(256);
    long net = customer.grossMinor - customer.discountMinor - customer.refundMinor;
    text.append("{\"customer\":\"").append(userId).append("\",\"orders\":").append(customer.orders)
        .append(",\"gross_minor\":").append(customer.grossMinor)
        .append(",\"discount_minor\":").append(customer.discountMinor)
        .append(",\"refund_minor\":").append(customer.refundMinor)
        .append(",\"net_minor\":").append(net).append(",\"interests\":{");
    String comma = "";
    for (Map.Entry<String, Customer.Score> score : customer.scores.entrySet()) {
      text.append(comma).append('"').append(score.getKey()).append("\":").append(score.getValue().at(atMs));
      comma = ",";
    }
    return text.append("}}").toString();
  }

  private static void interest(Customer customer, ShopEvent event, double weight) {
    for (ShopEvent.Line line : event.lines) {
      Customer.Score score = customer.scores.computeIfAbsent(line.category, name -> new Customer.Score());
      score.value = score.value == 0 ? weight : score.at(event.timestampMs) + weight;
      score.atMs = event.timestampMs;
    }
    while (customer.scores.size() > CATEGORIES_MAX) {
      String weakest = customer.scores.entrySet().stream()
          .min(Comparator.comparingDouble((Map.Entry<String, Customer.Score> entry) -> entry.getValue().at(event.timestampMs))
              .thenComparing(Map.Entry::getKey))
          .orElseThrow().getKey();
      customer.scores.remove(weakest);
    }
  }

  private static void completed(Customer customer, ShopEvent event, Ledger ledger) {
    Order order = ledger.get(event.orderId);
    if (order == null) {
      order = new Order();
    }
    if (!order.placed) {
      interest(customer, event, 5.0);
    }
    long[] before = order.contribution();
    order.placed = true;
    order.lines = event.lines;
    order.discountMinor = event.discountMinor;
    settle(customer, before, order);
    ledger.put(event.orderId, order);
    if (event.cartId != null) {
      customer.carts.remove(event.cartId);
    }
  }

  private static void refunded(Customer customer, ShopEvent event, Ledger ledger) {
    Order order = ledger.get(event.orderId);
    if (order == null) {
      order = new Order();
    }
    long[] before = order.contribution();
    order.refunds.put(event.refundId, event.amountMinor);
    settle(customer, before, order);
    ledger.put(event.orderId, order);
  }

  private static void settle(Customer customer, long[] before, Order order) {
    long[] after = order.contribution();
    customer.orders += after[0] - before[0];
    customer.grossMinor += after[1] - before[1];
    customer.discountMinor += after[2] - before[2];
    customer.refundMinor += after[3] - before[3];
  }

  private static void changeCart(Customer customer, ShopEvent event, boolean added) {
    Cart cart = customer.carts.get(event.cartId);
    if (cart == null) {
      cart = new Cart();
      customer.carts.put(event.cartId, cart);
      forgetOldCarts(customer, event.timestampMs);
    }
    ShopEvent.Line line = event.lines.get(0);
    long[] held = cart.lines.computeIfAbsent(line.productId, product -> new long[2]);
    if (added) {
      held[1] = line.priceMinor;
    }
    held[0] += added ? line.quantity : -line.quantity;
    if (held[0] <= 0) {
      cart.lines.remove(line.productId);
    }
    cart.changedMs = event.timestampMs;
    if (cart.lines.isEmpty()) {
      customer.carts.remove(event.cartId);
    } else if (added || !cart.sent) {
      cart.armed = true;
      cart.sent = false;
    }
  }

  /** Keeps a customer's carts bounded: none unchanged for CART_KEPT_MS, and not more than CARTS_MAX, oldest change first. */
  private static void forgetOldCarts(Customer customer, long nowMs) {
    customer.carts.values().removeIf(cart -> cart.changedMs != 0 && cart.changedMs < nowMs - CART_KEPT_MS);
    while (customer.carts.size() > Customer.CARTS_MAX) {
      Iterator<Cart> oldest = customer.carts.values().iterator(); // in the order in which they were begun
      oldest.next();
      oldest.remove();
    }
  }

  private static String trigger(String userId, String cartId, Cart cart) {
    StringBuilder text = new StringBuilder(256);
    text.append("{\"customer\":\"").append(userId).append("\",\"cart_id\":\"").append(cartId)
        .append("\",\"due_ms\":").append(cart.dueMs()).append(",\"value_minor\":").append(cart.valueMinor())
        .append(",\"items\":[");
    String comma = "";
    for (Map.Entry<String, long[]> line : cart.lines.entrySet()) {
      text.append(comma).append("{\"product_id\":\"").append(line.getKey()).append("\",\"quantity\":")
          .append(line.getValue()[0]).append(",\"price_minor\":").append(line.getValue()[1]).append('}');
      comma = ",";
    }
    return text.append("]}").toString();
  }
}
