package regulars.bench.streams;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInput;
import java.io.DataInputStream;
import java.io.DataOutput;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.apache.kafka.streams.state.Stores;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.CompressionType;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import regulars.bench.Customer;
import regulars.bench.Order;
import regulars.bench.ShopEvent;

/**
 * The job on Kafka Streams: Processor API, exactly once, RocksDB behind caches.
 *
 * <p>Tuned: commits once a second (100 ms is the default of exactly-once; each commit flushes the caches and ends a
 * transaction), caches of 512 MB so that a customer changed several times within a second is written once, a binary form of
 * the state, large polls and batches, lz4, RocksDB with a shared block cache, bloom filters and larger write buffers. The
 * index of due times is an in-memory store with a changelog: it is small, and a range scan over RocksDB would cost more than
 * all the rest. It is held against stream time five times a second by the wall clock: a stream-time punctuation is called
 * for every record of a backlog (events of one partition lie further apart than any useful interval) and costs as much again
 * as half of the job.
 *
 * <p>The study of latency takes the default interval of commits (BENCH_COMMIT_MS) and has each order answered at once by a
 * record on the output topic (BENCH_ORDER_OUTPUT).
 */
public final class KafkaStreamsPeer {
  private KafkaStreamsPeer() {}

  public static void main(String[] arguments) throws InterruptedException {
    Topology topology = topology();
    KafkaStreams streams = new KafkaStreams(topology, properties());
    CountDownLatch ended = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      Runtime.getRuntime().halt(1);
      return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close();
      ended.countDown();
    }));
    streams.start();
    ended.await();
  }

  static Topology topology() {
    Topology topology = new Topology();
    topology.addSource(
        Topology.AutoOffsetReset.EARLIEST, "input",
        (record, partitionTime) -> ((ShopEvent) record.value()).timestampMs,
        new StringDeserializer(), (Deserializer<ShopEvent>) (topic, value) -> ShopEvent.parse(value),
        variable("BENCH_INPUT"));
    topology.addProcessor("job", JobProcessor::new, "input");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(JobProcessor.CUSTOMERS), Serdes.String(),
            serde((customer, out) -> customer.write(out), Customer::read)).withCachingEnabled(), "job");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(JobProcessor.ORDERS), Serdes.String(),
            serde((order, out) -> order.write(out), Order::read)).withCachingEnabled(), "job");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(
            Stores.inMemoryKeyValueStore(JobProcessor.DUE), Serdes.Bytes(), Serdes.ByteArray()), "job");
    topology.addSink(
        JobProcessor.TRIGGERS, variable("BENCH_TRIGGERS"), new StringSerializer(), new StringSerializer(), "job");
    topology.addSink(
        JobProcessor.TOTALS, variable("BENCH_TOTALS"), new StringSerializer(), new StringSerializer(), "job");
    return topology;
  }

  private static Properties properties() {
    Properties set = new Properties();
    set.put(StreamsConfig.APPLICATION_ID_CONFIG, variable("BENCH_GROUP"));
    set.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, variable("BENCH_BOOTSTRAP"));
    set.put(StreamsConfig.STATE_DIR_CONFIG, variable("BENCH_STATE"));
    set.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    set.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, variable("BENCH_THREADS"));
    set.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, variable("BENCH_COMMIT_MS", "1000"));
    set.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 512L << 20);
    set.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5_000);
    set.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    set.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, TunedRocks.class);
    set.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
    set.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MIN_BYTES_CONFIG), 1);
    set.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
    set.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    set.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    set.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
    set.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);
    return set;
  }

  static String variable(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalStateException("the environment has no " + name + "; bench/engines sets it");
    }
    return value;
  }

  static String variable(String name, String otherwise) {
    return System.getenv().getOrDefault(name, otherwise);
  }

  private interface Writer<T> {
    void write(T value, DataOutput out) throws IOException;
  }

  private interface Reader<T> {
    T read(DataInput in) throws IOException;
  }

  private static <T> Serde<T> serde(Writer<T> writer, Reader<T> reader) {
    return Serdes.serdeFrom(
        (topic, value) -> {
          if (value == null) {
            return null;
          }
          try {
            ByteArrayOutputStream octets = new ByteArrayOutputStream(512);
            writer.write(value, new DataOutputStream(octets));
            return octets.toByteArray();
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        },
        (topic, octets) -> {
          if (octets == null) {
            return null;
          }
          try {
            return reader.read(new DataInputStream(new ByteArrayInputStream(octets)));
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        });
  }

  /** RocksDB for a few hundred MB of small values that are read before they are written. */
  public static final class TunedRocks implements RocksDBConfigSetter {
    private static final Cache BLOCKS = new LRUCache(256L << 20);

    @Override
    public void setConfig(String store, Options options, Map<String, Object> configs) {
      BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
      table.setBlockCache(BLOCKS);
      table.setFilterPolicy(new BloomFilter(10));
      table.setBlockSize(8 << 10);
      options.setTableFormatConfig(table);
      options.setWriteBufferSize(32L << 20);
      options.setCompressionType(CompressionType.LZ4_COMPRESSION);
    }

    @Override
    public void close(String store, Options options) {
      // The block cache is shared by all stores and lives as long as the process.
    }
  }
}
