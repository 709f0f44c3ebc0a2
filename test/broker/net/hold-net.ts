/** A process to end: it opens a net, says where it is, and waits. */
import { openNet } from '../../faults/net/net.ts'

const { brokers, directBrokers, registry } = await openNet({ nodes: 1 })
console.log(JSON.stringify({ brokers, directBrokers, registry }))
setInterval(() => {}, 60_000)
