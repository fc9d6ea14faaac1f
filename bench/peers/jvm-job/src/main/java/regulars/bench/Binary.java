package regulars.bench;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Numbers of variable length and short texts: smaller and quicker than the general serializers of both frameworks. */
final class Binary {
  private Binary() {}

  static void writeLong(DataOutput out, long value) throws IOException {
    long rest = (value << 1) ^ (value >> 63);
    while ((rest & ~0x7FL) != 0) {
      out.writeByte((int) (rest & 0x7F) | 0x80);
      rest >>>= 7;
    }
    out.writeByte((int) rest);
  }

  static long readLong(DataInput in) throws IOException {
    long rest = 0;
    int shift = 0;
    int octet;
    do {
      octet = in.readByte();
      rest |= (long) (octet & 0x7F) << shift;
      shift += 7;
    } while ((octet & 0x80) != 0);
    return (rest >>> 1) ^ -(rest & 1);
  }

  static void writeInt(DataOutput out, int value) throws IOException {
    writeLong(out, value);
  }

  static int readInt(DataInput in) throws IOException {
    return (int) readLong(in);
  }

  static void writeText(DataOutput out, String text) throws IOException {
    byte[] octets = text.getBytes(StandardCharsets.UTF_8);
    writeInt(out, octets.length);
    out.write(octets);
  }

  static String readText(DataInput in) throws IOException {
    byte[] octets = new byte[readInt(in)];
    in.readFully(octets);
    return new String(octets, StandardCharsets.UTF_8);
  }
}
