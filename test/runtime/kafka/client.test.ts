import { describe, expect, it } from 'vitest'
import { connectKafka } from '../../../services/runtime/kafka/client.ts'
import { KafkaRefused } from '../../../services/runtime/kafka/failures.ts'

const to = (...brokers: string[]) => ({ brokers, clientId: 'test' })

describe('plaintext', () => {
  it.each(['127.0.0.1:9092', 'localhost:9092', '127.8.0.2:1', '[::1]:9092'])(
    'is allowed to %s',
    async (broker) => {
      await connectKafka(to(broker)).close()
    },
  )

  it.each([
    '10.0.0.7:9092',
    'kafka.example.com:9092',
    '127.0.0.1.example.com:9092',
    'localhost.example.com:1',
  ])('is refused to %s without the flag', (broker) => {
    expect(() => connectKafka(to('127.0.0.1:9092', broker))).toThrow(KafkaRefused)
  })

  it('is allowed to any address with the flag, and TLS needs none', async () => {
    await connectKafka({ ...to('10.0.0.7:9092'), allowPlaintext: true }).close()
    await connectKafka({ ...to('10.0.0.7:9092'), tls: true }).close()
  })
})
