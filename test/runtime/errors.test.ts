import { describe, expect, it } from 'vitest'
import {
  describeError,
  type ErrorCode,
  errorTable,
  isTidemarkError,
  tidemarkError,
} from '../../services/runtime/errors.ts'

const codes = Object.keys(errorTable) as ErrorCode[]

describe('every code', () => {
  it.each(codes)('%s says in one line what happened and what to do', (code) => {
    const { message, action } = errorTable[code]
    expect(code).toMatch(/^TM(_[A-Z]+)+$/)
    expect(message).toMatch(/^[A-Z][^\n]*[^.\s]$/)
    expect(action).toMatch(/^[A-Z`][^\n]*\.$/)
    expect(describeError(tidemarkError(code, 'here'))).toBe(`${code}: ${message}: here. ${action}`)
  })
})

it('an error keeps its code, its cause and a stack', () => {
  const cause = new Error('why')
  const error = tidemarkError('TM_STORE', 'folder', cause)
  expect(error).toMatchObject({ code: 'TM_STORE', name: 'TidemarkError', cause })
  expect(error.stack).toContain('errors.test.ts')
  expect('cause' in tidemarkError('TM_STORE')).toBe(false)
})

it('is told from others by its code', () => {
  expect(isTidemarkError(tidemarkError('TM_BOOKS'))).toBe(true)
  for (const other of [new Error('x'), codeless('ENOENT'), codeless('toString'), 'TM_BOOKS', null]) {
    expect(isTidemarkError(other)).toBe(false)
  }
})

it('other errors are described by their name and message, and what is no error as text', () => {
  expect(describeError(new TypeError('no'))).toBe('TypeError: no')
  expect(describeError('gone')).toBe('gone')
})

function codeless(code: string): Error {
  return Object.assign(new Error('x'), { code })
}
