/** A definition that cannot be built: one line that names the field, operator or part at fault. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError'
}
