import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerHead, createScanner, readRequestHead, requestHead } from './frames.ts'

const seed = 20_260

/** A request as a client writes it. */
function request(apiKey: number, correlationId: number, clientId: string, bodyBytes: number): Buffer {
  const client = Buffer.from(clientId)
  const frame = Buffer.alloc(14 + client.length + bodyBytes, 7)
  frame.writeInt32BE(frame.length - 4)
  frame.writeInt16BE(apiKey, 4)
  frame.writeInt16BE(3, 6)
  frame.writeInt32BE(correlationId, 8)
  frame.writeInt16BE(client.length, 12)
  client.copy(frame, 14)
  return frame
}

/** The same bytes in chunks that end anywhere. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

describe('a scanner', () => {
  it('finds every frame and loses no byte, wherever the stream is cut', () => {
    const frame = fc.record({
      apiKey: fc.nat(60),
      client: fc.constantFrom('', 'a', 'tidemark-features'),
      bodyBytes: fc.nat(60),
    })
    const property = fc.property(
      fc.array(frame, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(2_000), { maxLength: 30 }),
      (frames, cuts) => {
        const sent = frames.map(({ apiKey, client, bodyBytes }, index) =>
          request(apiKey, index, client, bodyBytes),
        )
        const got: { head: ReturnType<typeof readRequestHead>; bytes: Buffer[] }[] = []
        const scan = createScanner(requestHead, (head, frameBytes) => {
          expect(frameBytes).toBe(sent[got.length]!.length)
          got.push({ head: readRequestHead(head), bytes: [] })
          return got.at(-1)!
        })
        for (const chunk of split(Buffer.concat(sent), cuts)) {
          for (const { treatment, bytes } of scan(chunk)) treatment.bytes.push(bytes)
        }
        expect(got.map(({ bytes }) => Buffer.concat(bytes))).toEqual(sent)
        expect(got.map(({ head }) => head)).toEqual(
          frames.map(({ apiKey, client }, index) => ({
            apiKey,
            apiVersion: 3,
            correlationId: index,
            clientId: client,
          })),
        )
      },
    )
    fc.assert(property, { seed, numRuns: 500 })
  })

  it('hands neighbours with the same treatment over as one piece', () => {
    const frames = [1, 2, 2, 1, 1].map((apiKey, index) => request(apiKey, index, 'c', 5))
    const scan = createScanner(requestHead, (head) => readRequestHead(head).apiKey)
    const pieces = scan(Buffer.concat(frames))
    expect(pieces.map(({ treatment, bytes }) => [treatment, bytes.length / frames[0]!.length])).toEqual([
      [1, 1],
      [2, 2],
      [1, 2],
    ])
  })

  it('reads an answer by its correlation id', () => {
    const answer = Buffer.from([0, 0, 0, 6, 0, 0, 1, 0, 9, 9])
    const scan = createScanner(answerHead, (head) => head.readInt32BE(4))
    expect(scan(answer)).toEqual([{ treatment: 256, bytes: answer }])
  })

  it.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a negative length', Buffer.alloc(20, 255)],
    ['a length that ends before the head', Buffer.from([0, 0, 0, 3, ...Array<number>(16).fill(0)])],
  ])('refuses %s', (_, bytes) => {
    expect(() => createScanner(requestHead, () => 0)(bytes)).toThrow(RangeError)
  })
})
