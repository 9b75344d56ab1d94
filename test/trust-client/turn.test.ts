/** Who goes on when the loop turns (turn.ts). */
import { expect, test } from '@jest/globals';
import { piecesWaiting, turn } from '../../proxy/trust-client/turn.ts';

function loopTurned(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('one piece of work goes on after each turn of the loop, in the order they came', async () => {
  const order: string[] = [];
  for (const name of ['a', 'b', 'c']) void turn().then(() => order.push(name));
  const seen: string[] = [];
  for (let turns = 0; turns < 4; turns += 1) {
    seen.push(order.join(''));
    await loopTurned();
  }
  expect([...seen, order.join('')]).toEqual(['', 'a', 'ab', 'abc', 'abc']);
});

test('who waits is counted until its turn', async () => {
  const work = [turn(), turn()];
  expect(piecesWaiting()).toBe(2);
  await Promise.all(work);
  expect(piecesWaiting()).toBe(0);
});

test('work that asks again comes after those that wait', async () => {
  const order: string[] = [];
  const work = async (name: string): Promise<void> => {
    await turn();
    order.push(`${name} once`);
    await turn();
    order.push(`${name} twice`);
  };
  await Promise.all([work('a'), work('b')]);
  expect(order).toEqual(['a once', 'b once', 'a twice', 'b twice']);
});
