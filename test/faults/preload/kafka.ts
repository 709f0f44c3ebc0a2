import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { committed, reach } from './points.ts'
import { afterCommit, beforeRestore, beforeWork } from './store.ts'

interface Transaction {
  readonly transactionalId: string
  readonly transactionResult?: boolean
}

type Call = (this: unknown, request: Transaction) => Promise<unknown>

interface PushedRequest {
  sendRequest(): unknown
}

const endTxnKey = 26

/** Those whose next transaction is the fence of their changelog: no commit, and no point of one. */
const fencing = new Set<string>()

const ending = new AsyncLocalStorage<string>()

/** Wraps what a transactional writer calls of kafkajs, whichever of our files calls it. */
export function patchKafka(): void {
  const require = createRequire(import.meta.url)
  const broker = (require('kafkajs/src/broker/index.js') as { prototype: Record<string, Call> }).prototype
  wrap(broker, 'initProducerId', async (id, call) => {
    const answer = await call()
    fencing.add(id)
    beforeRestore(id)
    reach('after-fence', id)
    return answer
  })
  wrap(broker, 'addPartitionsToTxn', async (id, call) => {
    if (fencing.has(id)) return call()
    beforeWork(id)
    reach('before-add-partitions', id)
    const answer = await call()
    reach('after-add-partitions', id)
    return answer
  })
  wrap(broker, 'endTxn', async (id, call, request) => {
    if (fencing.delete(id)) return call()
    // Everything has been written and acknowledged before the end is asked for.
    reach('after-produce', id)
    const answer = await ending.run(id, call)
    if (request.transactionResult === true) {
      committed(id)
      afterCommit(id)
      reach('after-end-txn', id)
    }
    return answer
  })
  patchQueue(require('kafkajs/src/network/requestQueue/index.js') as QueueClass)
}

interface Queue {
  push(pushed: PushedRequest & { entry: { apiKey: number } }): unknown
}

interface QueueClass {
  readonly prototype: Queue
}

/** The bytes of an EndTxn have been handed to the kernel: its answer will find nobody. */
function patchQueue({ prototype }: QueueClass): void {
  const { push } = prototype
  prototype.push = function patched(this: Queue, pushed) {
    const id = pushed.entry.apiKey === endTxnKey ? ending.getStore() : undefined
    if (id === undefined) return push.call(this, pushed)
    const send = pushed.sendRequest
    pushed.sendRequest = () => {
      const sent = send()
      reach('at-end-txn', id)
      return sent
    }
    return push.call(this, pushed)
  }
}

/** @throws when kafkajs has no such method: a point that is never reached would go unnoticed. */
function wrap(
  prototype: Record<string, Call>,
  name: string,
  around: (id: string, call: () => Promise<unknown>, request: Transaction) => Promise<unknown>,
): void {
  const original = prototype[name]
  if (original === undefined) throw new Error(`kafkajs has no ${name} to wrap`)
  prototype[name] = function wrapped(request) {
    return around(request.transactionalId, () => original.call(this, request), request)
  }
}
