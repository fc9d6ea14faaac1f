package regulars.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** One event, as far as the job needs it: read with Jackson's streaming parser, which skips what nobody asks for. */
public final class ShopEvent {
  /** What the job does something about; any other event only counts as seen. */
  public enum Kind { VIEWED, ADDED, REMOVED, COMPLETED, REFUNDED, TOTALS_ASKED, OTHER }

  private static final JsonFactory JSON = new JsonFactory();
  private static final Kind[] KINDS = Kind.values();

  public Kind kind = Kind.OTHER;
  public String messageId;
  public long timestampMs;
  public String userId;
  public String cartId;
  public String orderId;
  public String refundId;
  public long amountMinor;
  public long discountMinor;
  /** The product of a product event, or the lines of an order. */
  public final List<Line> lines = new ArrayList<>(2);

  /** Reads one event. */
  public static ShopEvent parse(byte[] json) {
    try (JsonParser parser = JSON.createParser(json)) {
      ShopEvent event = new ShopEvent();
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        event.take(name, parser);
      }
      return event;
    } catch (IOException error) {
      throw new IllegalArgumentException("no event: " + error.getMessage(), error);
    }
  }

  private void take(String name, JsonParser parser) throws IOException {
    switch (name) {
      case "event" -> kind = kindOf(parser.getText());
      case "message_id" -> messageId = parser.getText();
      case "timestamp_ms" -> timestampMs = parser.getLongValue();
      case "user_id" -> userId = parser.getText();
      case "cart_id" -> cartId = parser.getText();
      case "order_id" -> orderId = parser.getText();
      case "refund_id" -> refundId = parser.getText();
      case "amount_minor" -> amountMinor = parser.getLongValue();
      case "discount_minor" -> discountMinor = parser.getLongValue();
      case "product" -> lines.add(Line.parse(parser));
      case "products" -> {
        while (parser.nextToken() == JsonToken.START_OBJECT) {
          lines.add(Line.parse(parser));
        }
      }
      default -> parser.skipChildren();
    }
  }

  private static Kind kindOf(String name) {
    return switch (name) {
      case "Product Viewed" -> Kind.VIEWED;
      case "Product Added" -> Kind.ADDED;
      case "Product Removed" -> Kind.REMOVED;
      case "Order Completed" -> Kind.COMPLETED;
      case "Order Refunded" -> Kind.REFUNDED;
      case "Totals Asked" -> Kind.TOTALS_ASKED;
      default -> Kind.OTHER;
    };
  }

  /** Writes what was read, for engines that pass events on between threads as bytes. */
  public void write(DataOutput out) throws IOException {
    out.writeByte(kind.ordinal());
    Binary.writeText(out, messageId);
    Binary.writeLong(out, timestampMs);
    Binary.writeText(out, userId);
    Binary.writeText(out, cartId == null ? "" : cartId);
    Binary.writeText(out, orderId == null ? "" : orderId);
    Binary.writeText(out, refundId == null ? "" : refundId);
    Binary.writeLong(out, amountMinor);
    Binary.writeLong(out, discountMinor);
    Binary.writeInt(out, lines.size());
    for (Line line : lines) {
      line.write(out);
    }
  }

  /** Reads what `write` wrote. */
  public static ShopEvent read(DataInput in) throws IOException {
    ShopEvent event = new ShopEvent();
    event.kind = KINDS[in.readByte()];
    event.messageId = Binary.readText(in);
    event.timestampMs = Binary.readLong(in);
    event.userId = Binary.readText(in);
    event.cartId = emptyToNull(Binary.readText(in));
    event.orderId = emptyToNull(Binary.readText(in));
    event.refundId = emptyToNull(Binary.readText(in));
    event.amountMinor = Binary.readLong(in);
    event.discountMinor = Binary.readLong(in);
    int count = Binary.readInt(in);
    for (int i = 0; i < count; i++) {
      event.lines.add(Line.read(in));
    }
    return event;
  }

  private static String emptyToNull(String text) {
    return text.isEmpty() ? null : text;
  }

  /** A product with price and quantity. */
  public static final class Line {
    public String productId;
    public String category;
    public long priceMinor;
    public int quantity = 1;

    void write(DataOutput out) throws IOException {
      Binary.writeText(out, productId);
      Binary.writeText(out, category);
      Binary.writeLong(out, priceMinor);
      Binary.writeInt(out, quantity);
    }

    static Line read(DataInput in) throws IOException {
      Line line = new Line();
      line.productId = Binary.readText(in);
      line.category = Binary.readText(in);
      line.priceMinor = Binary.readLong(in);
      line.quantity = Binary.readInt(in);
      return line;
    }

    static Line parse(JsonParser parser) throws IOException {
      Line line = new Line();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        switch (name) {
          case "product_id" -> line.productId = parser.getText();
          case "category" -> line.category = parser.getText();
          case "price_minor" -> line.priceMinor = parser.getLongValue();
          case "quantity" -> line.quantity = parser.getIntValue();
          default -> parser.skipChildren();
        }
      }
      return line;
    }
  }
}
