import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.FileOutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Dump (brokers) (file) (topic)...: writes every committed record of the topics into one file, partition by
 * partition interleaved as they come, and then counts what a reader of uncommitted data sees beyond that.
 * A record is: int index of the topic, int partition, long offset, long timestamp, int length of the key (-1: none),
 * key, int length of the value (-1: none), value; all big-endian. Prints one line per partition:
 * topic, partition, committed records, uncommitted records.
 */
public class Dump {
  public static void main(String[] args) throws Exception {
    List<String> topics = List.of(args).subList(2, args.length);
    long[] started = {System.nanoTime()};
    Map<TopicPartition, Long> ends = new HashMap<>();
    Map<TopicPartition, Long> committed;
    try (DataOutputStream out =
        new DataOutputStream(new BufferedOutputStream(new FileOutputStream(args[1]), 1 << 20))) {
      committed = read(args[0], topics, "read_committed", ends, out);
    }
    Map<TopicPartition, Long> all = read(args[0], topics, "read_uncommitted", ends, null);
    for (TopicPartition place : ends.keySet()) {
      System.out.println(
          place.topic()
              + "\t" + place.partition()
              + "\t" + committed.getOrDefault(place, 0L)
              + "\t" + all.getOrDefault(place, 0L));
    }
    System.err.println("read in " + (System.nanoTime() - started[0]) / 1_000_000 + " ms");
  }

  /**
   * Both passes read to the same ends: the first pass fills them in. A committed reader's end is the last stable
   * offset, so that a transaction which is still open belongs to neither pass.
   */
  private static Map<TopicPartition, Long> read(
      String brokers, List<String> topics, String isolation, Map<TopicPartition, Long> ends, DataOutputStream out)
      throws Exception {
    Map<TopicPartition, Long> counts = new HashMap<>();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings(brokers, isolation))) {
      List<TopicPartition> places = placesOf(consumer, topics);
      if (ends.isEmpty()) ends.putAll(consumer.endOffsets(places));
      consumer.assign(places);
      consumer.seekToBeginning(places);
      Set<TopicPartition> open = new HashSet<>(places);
      long heardAt = System.nanoTime();
      while (!open.isEmpty()) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
        for (TopicPartition place : records.partitions()) {
          int topic = topics.indexOf(place.topic());
          long end = ends.get(place);
          for (ConsumerRecord<byte[], byte[]> record : records.records(place)) {
            if (record.offset() >= end) break;
            counts.merge(place, 1L, Long::sum);
            if (out != null) write(out, topic, record);
          }
        }
        boolean closed = open.removeIf(place -> consumer.position(place) >= ends.get(place));
        if (closed) consumer.pause(without(places, open));
        if (closed || !records.isEmpty()) heardAt = System.nanoTime();
        else if (System.nanoTime() - heardAt > 30_000_000_000L) {
          throw new IllegalStateException("nothing came for 30 s of " + open);
        }
      }
    }
    return counts;
  }

  private static List<TopicPartition> without(List<TopicPartition> places, Set<TopicPartition> open) {
    List<TopicPartition> closed = new ArrayList<>(places);
    closed.removeAll(open);
    return closed;
  }

  private static List<TopicPartition> placesOf(KafkaConsumer<byte[], byte[]> consumer, List<String> topics) {
    List<TopicPartition> places = new ArrayList<>();
    Map<String, List<PartitionInfo>> known = consumer.listTopics();
    for (String topic : topics) {
      if (!known.containsKey(topic)) throw new IllegalStateException("there is no topic " + topic);
      for (PartitionInfo info : known.get(topic)) places.add(new TopicPartition(topic, info.partition()));
    }
    return places;
  }

  private static void write(DataOutputStream out, int topic, ConsumerRecord<byte[], byte[]> record)
      throws Exception {
    out.writeInt(topic);
    out.writeInt(record.partition());
    out.writeLong(record.offset());
    out.writeLong(record.timestamp());
    writeBytes(out, record.key());
    writeBytes(out, record.value());
  }

  private static void writeBytes(DataOutputStream out, byte[] bytes) throws Exception {
    out.writeInt(bytes == null ? -1 : bytes.length);
    if (bytes != null) out.write(bytes);
  }

  private static Properties settings(String brokers, String isolation) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("isolation.level", isolation);
    settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
    settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("check.crcs", "true");
    settings.put("max.poll.records", "20000");
    settings.put("max.partition.fetch.bytes", "8388608");
    settings.put("fetch.max.bytes", "67108864");
    settings.put("client.id", "tidemark-audit");
    return settings;
  }
}
