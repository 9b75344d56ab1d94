/**
 * Work that takes long is cut into pieces. Each waits here for its turn, in the order they came: in one turn of the event
 * loop there is one piece, however many requests have work to do, so that pulls beside them go on.
 */
let before: Promise<void> = Promise.resolve();

export function takeTurn(): Promise<void> {
  before = before.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
  return before;
}
