/** The lock cannot be derived or rendered; the message is one line with the cause and the next step. */
export class LockError extends Error {
  override readonly name = 'LockError';
}
