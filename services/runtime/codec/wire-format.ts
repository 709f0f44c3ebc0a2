/**
 * The Confluent wire format: a zero byte, the schema's registry id as a big-endian unsigned 32-bit integer, Avro binary.
 *
 *     00 | id (4 bytes) | avro
 */

export const headerBytes = 5
const magic = 0

/** The schema id in front of a value, or undefined when it is not in the Confluent wire format. */
export function schemaIdOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < headerBytes || bytes[0] !== magic) return undefined
  return bytes[1]! * 2 ** 24 + (bytes[2]! << 16) + (bytes[3]! << 8) + bytes[4]!
}

/** @throws RangeError when the id is not an unsigned 32-bit integer. */
export function writeHeader(target: Buffer, schemaId: number): void {
  target[0] = magic
  target.writeUInt32BE(schemaId, 1)
}

/** The same memory as a Buffer, which avsc insists on. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
