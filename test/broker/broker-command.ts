/** `tidemark broker …` alone, without the rest of the command line. */
import { brokerCommand } from '../../services/cli/broker.ts'

await brokerCommand().parseAsync(process.argv.slice(2), { from: 'user' })
