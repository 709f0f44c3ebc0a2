/** One line of the books: what must add up, and whether it does. */
export interface Equation {
  readonly name: string
  readonly left: number
  readonly right: number
  readonly holds: boolean
}

/** What an independent reader counted in the topics of one input of one service. */
export interface InputBooks {
  readonly service: string
  readonly topic: string
  readonly read: number
  readonly applied: number
  readonly late: number
  readonly duplicate: number
  readonly deadLettered: number
}

export interface Counted {
  readonly inputs: readonly InputBooks[]
  readonly features: number
  readonly predictions: number
  readonly carried: number
  readonly labelled: number
  readonly expired: number
  readonly pending: number
  /** Sum over the panes of predictions, and of outcomes. */
  readonly panePredictions: number
  readonly paneOutcomes: number
}

/** Every record is somewhere, once. */
export function balance(counted: Counted): { balanced: boolean; equations: Equation[] } {
  const { features, predictions, labelled, expired, pending } = counted
  const equations = [
    ...counted.inputs.map(({ service, topic, read, applied, late, duplicate, deadLettered }) =>
      equation(
        `${service}: in(${topic}) = applied + late + duplicate + dead-lettered`,
        read,
        applied + late + duplicate + deadLettered,
      ),
    ),
    equation('predictions: features = predictions', features, predictions),
    equation('outcomes: predictions = carried to the outcome journal', predictions, counted.carried),
    equation(
      'outcomes: predictions = labelled + expired + pending',
      predictions,
      labelled + expired + pending,
    ),
    equation('reports: predictions = rows in prediction panes', predictions, counted.panePredictions),
    equation('reports: labelled + expired = rows in outcome panes', labelled + expired, counted.paneOutcomes),
  ]
  return { balanced: equations.every(({ holds }) => holds), equations }
}

function equation(name: string, left: number, right: number): Equation {
  return { name, left, right, holds: left === right }
}
