/** Writes small ONNX files by hand: a logistic regression, with the flaws that a loader must refuse on request. */

export interface TinyModel {
  /** One weight per input column; score = 1 / (1 + exp(−(bias + Σ weight × input))). */
  readonly weights: readonly number[]
  readonly bias: number
  readonly inputName?: string
  /** Appends a ZipMap, as converters do by default: the probabilities then are a list of maps. */
  readonly zipMap?: boolean
}

/** A model of ir_version 8 with opsets ai.onnx 15 and ai.onnx.ml 3; wire numbers as in onnx.proto. */
export function tinyOnnx({ weights, bias, inputName = 'input', zipMap = false }: TinyModel): Uint8Array {
  const scores = zipMap ? 'scores' : 'probabilities'
  const half = weights.map((weight) => weight / 2)
  const classifier = message(
    text(1, inputName),
    text(2, 'label'),
    text(2, scores),
    text(4, 'LinearClassifier'),
    bytes(5, attribute('coefficients', floats([...half.map((weight) => -weight), ...half]), 6)),
    bytes(5, attribute('intercepts', floats([-bias / 2, bias / 2]), 6)),
    bytes(5, attribute('classlabels_ints', integers([0, 1]), 7)),
    bytes(5, attribute('post_transform', text(4, 'SOFTMAX'), 3)),
    text(7, 'ai.onnx.ml'),
  )
  const zip = message(
    text(1, scores),
    text(2, 'probabilities'),
    text(4, 'ZipMap'),
    bytes(5, attribute('classlabels_int64s', integers([0, 1]), 7)),
    text(7, 'ai.onnx.ml'),
  )
  const graph = message(
    bytes(1, classifier),
    ...(zipMap ? [bytes(1, zip)] : []),
    text(2, 'tiny'),
    bytes(11, value(inputName, tensorType(float, ['rows', weights.length]))),
    bytes(12, value('label', tensorType(int64, ['rows']))),
    bytes(12, value('probabilities', zipMap ? listOfMaps : tensorType(float, ['rows', 2]))),
  )
  return message(
    number(1, 8),
    bytes(7, graph),
    bytes(8, number(2, 15)),
    bytes(8, message(text(1, 'ai.onnx.ml'), number(2, 3))),
  )
}

const float = 1
const int64 = 7

function attribute(name: string, content: Uint8Array, type: number): Uint8Array {
  return message(text(1, name), content, number(20, type))
}

function value(name: string, type: Uint8Array): Uint8Array {
  return message(text(1, name), bytes(2, type))
}

function tensorType(element: number, shape: readonly (string | number)[]): Uint8Array {
  const dimensions = shape.map((size) => bytes(1, typeof size === 'string' ? text(2, size) : number(1, size)))
  return bytes(1, message(number(1, element), bytes(2, message(...dimensions))))
}

const listOfMaps = bytes(4, bytes(1, bytes(5, message(number(1, int64), bytes(2, tensorType(float, []))))))

function floats(values: readonly number[]): Uint8Array {
  return bytes(7, new Uint8Array(Float32Array.from(values).buffer))
}

function integers(values: readonly number[]): Uint8Array {
  return message(...values.map((one) => number(8, one)))
}

function text(field: number, content: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(content))
}

function number(field: number, content: number): Uint8Array {
  return message(varint(field << 3), varint(content))
}

function bytes(field: number, content: Uint8Array): Uint8Array {
  return message(varint((field << 3) | 2), varint(content.length), content)
}

function message(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

function varint(content: number): Uint8Array {
  const low = content & 0x7f
  return content < 0x80 ? Uint8Array.of(low) : message(Uint8Array.of(low | 0x80), varint(content >>> 7))
}
