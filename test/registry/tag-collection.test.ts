/** What of a list is shown so far, and when what comes later cannot change it. */
import { describe, expect, test } from '@jest/globals';
import { createCollection } from '../../proxy/registry/tag-collection.ts';

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `t${String(from + at).padStart(4, '0')}`);
const collectionOf = (
  { n, last }: { readonly n?: number; readonly last?: string } = {},
  isShown: (name: string) => boolean = () => true,
  from?: string,
) => createCollection({ n, last }, isShown, from);

test('names are given back sorted, each once, those that are shown', async () => {
  const found = collectionOf({}, (name) => name !== 'c');
  await found.add(['b', 'c']);
  await found.add(['a', 'b', 'd']);
  expect(found.take()).toEqual({ tags: ['a', 'b', 'd'], isCut: false });
});

test('from after `last` on, at most n, and it says whether there are more', async () => {
  const take = async (n?: number, last?: string) => {
    const found = collectionOf({ ...(n !== undefined && { n }), ...(last !== undefined && { last }) });
    await found.add(['a', 'b', 'c', 'd']);
    return found.take();
  };
  expect(await take(2, 'a')).toEqual({ tags: ['b', 'c'], isCut: true });
  expect(await take(3, 'a')).toEqual({ tags: ['b', 'c', 'd'], isCut: false });
  expect(await take(0)).toEqual({ tags: [], isCut: true });
  expect(await take(undefined, 'c')).toEqual({ tags: ['d'], isCut: false });
});

test('only names after `last` are asked about', async () => {
  const asked: string[] = [];
  const found = collectionOf({ last: 'b' }, (name) => asked.push(name) > 0);
  await found.add(['a', 'b', 'c']);
  expect(asked).toEqual(['c']);
});

describe('a registry', () => {
  test('sorts when 100 names came in order, also where one comes twice', async () => {
    const found = collectionOf({ n: 1 });
    await found.add(numbered(0, 98));
    await found.add(['t0097']);
    expect([found.isInOrder(), found.isBefore('z'), found.isEnough()]).toEqual([true, false, false]);
    await found.add(['t0098']);
    expect([found.isInOrder(), found.isBefore('z'), found.isEnough()]).toEqual([true, true, true]);
    expect([found.isBefore('t0098'), found.isBefore('t0099')]).toEqual([false, true]);
  });

  test('does not sort when one name is out of order, inside a page or between two', async () => {
    for (const pages of [[['b', 'a']], [['b'], ['a']]]) {
      const found = collectionOf({ n: 1 });
      for (const page of pages) await found.add(page);
      await found.add(numbered(0, 200));
      expect([found.isInOrder(), found.isBefore('z'), found.isEnough()]).toEqual([false, false, false]);
    }
  });

  test('asked from a name on gives those after it, and nothing else is in order', async () => {
    const inOrder = async (...names: string[]) => {
      const found = collectionOf({ n: 1, last: 'b' }, undefined, 'b');
      await found.add(names);
      return found.isInOrder();
    };
    expect([await inOrder('c'), await inOrder('b', 'c'), await inOrder('a')]).toEqual([true, false, false]);
  });

  test('may list a name that is empty', async () => {
    const found = collectionOf();
    await found.add(['', 'a']);
    expect(found.isInOrder()).toBe(true);
  });
});

test('there is enough when one more than n is shown', async () => {
  const found = collectionOf({ n: 2 }, (name) => name >= 't0199');
  await found.add(numbered(0, 201));
  expect(found.isEnough()).toBe(false);
  await found.add(['t0201']);
  expect(found.isEnough()).toBe(true);
  const all = collectionOf();
  await all.add(numbered(0, 201));
  expect(all.isEnough()).toBe(false);
});
