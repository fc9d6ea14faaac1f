package regulars.bench.flink;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.producer.ProducerRecord;
import regulars.bench.ShopEvent;

/**
 * The job on Flink: DataStream API, one process (MiniCluster), event-time timers, checkpoints to disk, exactly-once Kafka sink.
 *
 * <p>Tuned: object reuse, type serializers of our own instead of Kryo, checkpoints each second with at least half a second
 * of work between two, timers set once per customer and not per change of a cart, RocksDB with incremental checkpoints,
 * timers on the heap and 1 GB of managed memory, lz4, large fetches. Watermarks follow the newest event of each
 * partition without slack, since a partition is in order; a repeat that stands behind younger events is dropped anyway.
 */
public final class FlinkPeer {
  private FlinkPeer() {}

  public static void main(String[] arguments) throws Exception {
    String backend = variable("BENCH_BACKEND");
    Configuration configuration = new Configuration();
    configuration.setString("state.backend.type", backend);
    configuration.setString("execution.checkpointing.incremental", "true");
    configuration.setString("state.backend.rocksdb.localdir", variable("BENCH_STATE") + "/rocksdb");
    configuration.setString("state.backend.rocksdb.timer-service.factory", "HEAP");
    configuration.setString("state.backend.rocksdb.use-bloom-filter", "true");
    configuration.setString("execution.checkpointing.dir", "file://" + variable("BENCH_STATE") + "/checkpoints");
    configuration.setString("execution.checkpointing.interval", "1s");
    configuration.setString("execution.checkpointing.min-pause", "500ms");
    configuration.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
    configuration.setString("execution.checkpointing.num-retained", "1");
    configuration.setString("pipeline.object-reuse", "true");
    configuration.setString("pipeline.generic-types", "false");
    configuration.setString("taskmanager.memory.managed.size", backend.equals("rocksdb") ? "1g" : "32m");
    configuration.setString("taskmanager.memory.network.min", "64m");
    configuration.setString("taskmanager.memory.network.max", "64m");
    configuration.setString("restart-strategy.type", "none");
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.createLocalEnvironment(Integer.parseInt(variable("BENCH_THREADS")), configuration);
    environment.fromSource(source(), watermarks(), "events", Types.EVENT)
        .keyBy(event -> event.userId)
        .process(new CustomerFunction())
        .sinkTo(sink());
    environment.execute("profile-ltv");
  }

  private static KafkaSource<ShopEvent> source() {
    return KafkaSource.<ShopEvent>builder()
        .setBootstrapServers(variable("BENCH_BOOTSTRAP"))
        .setTopics(variable("BENCH_INPUT"))
        .setGroupId(variable("BENCH_GROUP"))
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setProperty("commit.offsets.on.checkpoint", "true")
        .setProperty("max.poll.records", "5000")
        .setProperty("max.partition.fetch.bytes", Integer.toString(4 << 20))
        .setValueOnlyDeserializer(new EventSchema())
        .build();
  }

  private static WatermarkStrategy<ShopEvent> watermarks() {
    return WatermarkStrategy.<ShopEvent>forBoundedOutOfOrderness(Duration.ZERO)
        .withTimestampAssigner((event, broker) -> event.timestampMs);
  }

  private static KafkaSink<Output> sink() {
    Properties producer = new Properties();
    producer.setProperty("transaction.timeout.ms", Integer.toString(10 * 60_000));
    producer.setProperty("compression.type", "lz4");
    producer.setProperty("batch.size", Integer.toString(256 << 10));
    producer.setProperty("linger.ms", "100");
    String triggers = variable("BENCH_TRIGGERS");
    String totals = variable("BENCH_TOTALS");
    return KafkaSink.<Output>builder()
        .setBootstrapServers(variable("BENCH_BOOTSTRAP"))
        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .setTransactionalIdPrefix(variable("BENCH_GROUP"))
        .setKafkaProducerConfig(producer)
        .setRecordSerializer((KafkaRecordSerializationSchema<Output>) (output, context, timestamp) ->
            new ProducerRecord<>(
                output.isTotals ? totals : triggers,
                output.userId.getBytes(StandardCharsets.UTF_8),
                output.json.getBytes(StandardCharsets.UTF_8)))
        .build();
  }

  static String variable(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalStateException("the environment has no " + name + "; bench/engines sets it");
    }
    return value;
  }

  /** Parses in the source, so that only what the job needs travels on. */
  public static final class EventSchema extends AbstractDeserializationSchema<ShopEvent> {
    private static final long serialVersionUID = 1;

    public EventSchema() {
      super(Types.EVENT);
    }

    @Override
    public ShopEvent deserialize(byte[] message) {
      return ShopEvent.parse(message);
    }
  }

  /** A record for one of the two output topics. */
  public static final class Output {
    public boolean isTotals;
    public String userId;
    public String json;

    public Output() {}

    Output(boolean isTotals, String userId, String json) {
      this.isTotals = isTotals;
      this.userId = userId;
      this.json = json;
    }
  }
}
