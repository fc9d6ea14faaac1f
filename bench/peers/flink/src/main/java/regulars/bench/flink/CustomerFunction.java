package regulars.bench.flink;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.TreeMap;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.TimerService;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import regulars.bench.Customer;
import regulars.bench.Job;
import regulars.bench.Order;
import regulars.bench.ShopEvent;

/**
 * One customer: her state, her orders, and one event-time timer.
 *
 * <p>For the harness it also writes to a file how many events were covered by the last completed checkpoint. The offsets that
 * Flink commits to Kafka say the same up to ten seconds later: its fetcher, idle at the end of the topic, sleeps in a poll.
 */
final class CustomerFunction extends KeyedProcessFunction<String, ShopEvent, FlinkPeer.Output>
    implements CheckpointedFunction, CheckpointListener {
  private static final long serialVersionUID = 1;

  private final String progressFile = FlinkPeer.variable("BENCH_STATE") + "/progress-";
  private long taken;
  private final TreeMap<Long, Long> takenAtCheckpoint = new TreeMap<>();

  private transient ValueState<Customer> state;
  private transient MapState<String, Order> orders;
  private transient Job.Ledger ledger;

  @Override
  public void open(OpenContext context) {
    state = getRuntimeContext().getState(new ValueStateDescriptor<>("customer", new Types.CustomerSerializer()));
    orders = getRuntimeContext().getMapState(
        new MapStateDescriptor<>("orders", StringSerializer.INSTANCE, new Types.OrderSerializer()));
    ledger = new Job.Ledger() {
      @Override
      public Order get(String orderId) {
        try {
          return orders.get(orderId);
        } catch (Exception error) {
          throw new IllegalStateException(error);
        }
      }

      @Override
      public void put(String orderId, Order order) {
        try {
          orders.put(orderId, order);
        } catch (Exception error) {
          throw new IllegalStateException(error);
        }
      }
    };
  }

  @Override
  public void processElement(ShopEvent event, Context context, Collector<FlinkPeer.Output> out) throws Exception {
    taken++;
    Customer customer = state.value();
    if (customer == null) {
      customer = new Customer();
    }
    if (event.kind == ShopEvent.Kind.TOTALS_ASKED) {
      String totals = Job.totals(customer, event.userId, event.timestampMs);
      out.collect(new FlinkPeer.Output(true, event.userId, totals));
      return;
    }
    boolean changed = Job.apply(
        customer, event, ledger, trigger -> out.collect(new FlinkPeer.Output(false, event.userId, trigger)));
    if (changed) {
      setTimer(customer, context.timerService());
      state.update(customer);
    }
  }

  @Override
  public void onTimer(long atMs, OnTimerContext context, Collector<FlinkPeer.Output> out) throws Exception {
    Customer customer = state.value();
    String user = context.getCurrentKey();
    Job.sendDue(customer, user, atMs + 1, trigger -> out.collect(new FlinkPeer.Output(false, user, trigger)));
    customer.timerMs = 0;
    setTimer(customer, context.timerService());
    state.update(customer);
  }

  @Override
  public void initializeState(FunctionInitializationContext context) {
    // The job is never started again from a checkpoint here, so the count needs no state of its own.
  }

  @Override
  public void snapshotState(FunctionSnapshotContext context) {
    takenAtCheckpoint.put(context.getCheckpointId(), taken);
  }

  @Override
  public void notifyCheckpointComplete(long checkpoint) throws IOException {
    Long covered = takenAtCheckpoint.get(checkpoint);
    if (covered != null) {
      Path file = Path.of(progressFile + getRuntimeContext().getTaskInfo().getIndexOfThisSubtask());
      Path fresh = Path.of(file + ".new");
      Files.writeString(fresh, Long.toString(covered));
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
      takenAtCheckpoint.headMap(checkpoint, true).clear();
    }
  }

  /** A timer that is set stays: it fires at the latest when it must, and is then set anew where something still waits. */
  private static void setTimer(Customer customer, TimerService timers) {
    if (customer.timerMs == 0) {
      customer.timerMs = Job.nextDueMs(customer);
      if (customer.timerMs != 0) {
        timers.registerEventTimeTimer(customer.timerMs);
      }
    }
  }
}
