import { createRequire } from 'node:module'
import { ClassicLevel } from 'classic-level'
import { compileConfig } from '../../../services/runtime/config.ts'
import { describeError } from '../../../services/runtime/errors.ts'
import { connectKafka } from '../../../services/runtime/kafka/client.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { runService } from '../../../services/runtime/run.ts'
import { plainWire, serviceOf } from './counting.ts'
import type { Step, ToProcess } from './processes.ts'

/** A service that runs until SIGTERM, and ends or freezes itself at a step that its argument names. */
const { plan, env, trap } = JSON.parse(process.argv[2]!) as ToProcess

interface BrokerPrototype {
  initProducerId(request: unknown): Promise<unknown>
  addPartitionsToTxn(request: { topics: { topic: string }[] }): Promise<unknown>
  endTxn(request: unknown): Promise<unknown>
}

interface LevelPrototype {
  put(...args: unknown[]): Promise<void>
  batch(...args: unknown[]): { write(...args: unknown[]): Promise<void> }
}

interface PoolPrototype {
  send(pushed: { request: { apiName: string } }): Promise<unknown>
}

let isArmed = false
let isCommit = false
/** From the first call until something is read: the fence has a transaction of its own. */
let isBeginning = true
let isStored = true

function reach(step: Step): void {
  if (trap === undefined || trap.step !== step) return
  if (step !== 'after-fence' && step !== 'in-restore' && !(isCommit && isArmed)) return
  isArmed = false
  process.kill(process.pid, trap.signal)
}

/** The client library, not the runtime, is what is changed: the runtime does not know of any of this. */
function watchKafka(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/broker') as { prototype: BrokerPrototype }
  const { initProducerId, addPartitionsToTxn, endTxn } = prototype
  prototype.initProducerId = async function (request) {
    const answer = await initProducerId.call(this, request)
    reach('after-fence')
    return answer
  }
  prototype.addPartitionsToTxn = async function (request) {
    isCommit = request.topics.some(({ topic }) => topic === plan.output.topic)
    if (isCommit) isBeginning = false
    reach('before-add-partitions')
    const answer = await addPartitionsToTxn.call(this, request)
    reach('after-add-partitions')
    return answer
  }
  prototype.endTxn = async function (request) {
    reach('after-produce')
    const answered = endTxn.call(this, request)
    // The request is on its way once the socket has taken it, a turn of the event loop later.
    if (trap?.step === 'at-end-txn') setImmediate(() => setImmediate(() => reach('at-end-txn')))
    const answer = await answered
    reach('after-end-txn')
    isStored = isBeginning
    return answer
  }
}

/** Without transactions the first Produce of a commit brings the outputs, the second the changelog. */
function watchProduce(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connectionPool.js') as {
    prototype: PoolPrototype
  }
  const { send } = prototype
  prototype.send = async function (pushed) {
    const answer = await send.call(this, pushed)
    if (pushed.request.apiName === 'Produce' && trap?.step === 'after-outputs' && isArmed)
      process.kill(process.pid, trap.signal)
    return answer
  }
}

function watchStore(): void {
  const prototype = ClassicLevel.prototype as unknown as LevelPrototype
  const { put, batch } = prototype
  const written = () => {
    if (isBeginning) reach('in-restore')
    else if (!isStored) reach('after-store')
    isStored = true
  }
  prototype.put = function (...args) {
    return put.apply(this, args).then(written)
  }
  prototype.batch = function (...args) {
    const made = batch.apply(this, args)
    const { write } = made
    return Object.assign(made, { write: (...given: unknown[]) => write.apply(made, given).then(written) })
  }
}

process.on('message', () => {
  isArmed = true
  process.send?.('armed')
})
process.once('disconnect', () => process.exit(1))
watchKafka()
watchProduce()
watchStore()
const config = compileConfig(env, env['TIDEMARK_STATE']!)
const log = createLog(plan.name, config.instance, 'debug')
const kafka = connectKafka({ brokers: [...config.brokers], clientId: `tasks-${config.instance}` })
const running = await runService(serviceOf(plan), config, kafka, plainWire, log)
log.info({}, 'started')
running.ended.catch((error: unknown) => {
  log.fatal(describeError(error))
  process.exit(1)
})
process.once('SIGTERM', async () => {
  await running.stop()
  await kafka.close()
  process.exit(0)
})
