/** A process of its own that wants the jars: to be run twice at once, and to be killed. */
import { resolveJars } from '../../deploy/local/jars.ts'
import { supervise } from '../../deploy/local/supervision.ts'

await using supervision = supervise()
console.log(JSON.stringify(await resolveJars(process.env, supervision, (line) => console.error(line))))
