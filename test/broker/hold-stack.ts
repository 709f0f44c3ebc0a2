/** A process to kill: it brings up a real broker, says what it holds, and waits. */
import { bringUp } from '../../deploy/local/up.ts'

const { rung, brokers, registry, nodes } = await bringUp()
console.log(JSON.stringify({ rung, brokers, registry, nodes }))
setInterval(() => {}, 60_000)
