/**
 * Every client, every case: what arrives, what is refused and what the person then reads, with the configuration that
 * `pullwarden clients` prints (the bare mirror: without its egress rules) and every other way out ending at a recorder.
 * That the recorder sees a client that does go on is held by sticky.test.ts and clients.test.ts.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { COLUMNS, type ColumnName, startColumn } from './matrix/columns.ts';
import { ROWS, type Row } from './matrix/rows.ts';
import { endingOf, renderTable } from './matrix/table.ts';
import { type Images, startMatrixWorld, type World } from './matrix/world.ts';
import { describeReal } from './parts.ts';
import type { Pulled } from './pullers.ts';

type Cell = Pulled & { readonly asked: readonly string[] };

/** Milliseconds: the columns run side by side; the slowest waits for daemons that try again. */
const PULLS_TIMEOUT = 180_000;

describeReal(
  'the matrix of clients',
  ['dockerd', 'docker', 'containerd', 'ctr', 'skopeo', 'podman', 'buildah', 'openssl'],
  () => {
    let world: World;
    const cells = new Map<string, Cell>();
    const cellOf = (column: ColumnName, row: Row): Cell => {
      const cell = cells.get(`${column}/${row.name}`);
      if (cell === undefined) throw new Error(`${column} did not get as far as "${row.name}"`);
      return cell;
    };

    beforeAll(async () => {
      world = await startMatrixWorld();
      await Promise.all(
        COLUMNS.map(async (name) => {
          const { pull, egress } = await startColumn(name, world);
          for (const row of ROWS) {
            const pulled = await pull(row.image(world.images));
            cells.set(`${name}/${row.name}`, { ...pulled, asked: egress.look() });
          }
        }),
      );
    }, PULLS_TIMEOUT);

    describe.each(COLUMNS)('%s', (column) => {
      test.each(ROWS.map((row) => [row.name, row] as const))('%s', (_name, row) => {
        const { ok, digest, output, asked } = cellOf(column, row);
        const ending = endingOf(row, column);
        if (ending.kind === 'arrives') {
          expect([ok, output]).toEqual([true, expect.anything()]);
          expect(digestsOf(world.images[ending.as])).toContain(digest);
        } else {
          expect([ok, unwrap(output)]).toEqual([false, expect.stringContaining(ending.text)]);
        }
        expect(asked).toEqual([]);
      });
    });

    test('HTTPS_PROXY: what the daemon asked ended at the proxy, and nothing was let through to another host', async () => {
      expect(await world.metric('pullwarden_connects_total{result="terminated"}')).toBeGreaterThan(0);
      expect(await world.metric('pullwarden_connects_total{result="tunnelled"}')).toBe(0);
    });

    test('the table', () => {
      const asked = [...cells.values()].flatMap((cell) => cell.asked);
      process.stdout.write(renderTable(asked.length));
      expect([cells.size, asked]).toEqual([COLUMNS.length * ROWS.length, []]);
    });
  },
);

/** Some clients know an index by the child they took from it. */
function digestsOf({ digest, children }: Images[keyof Images]): readonly string[] {
  return [digest, ...children];
}

/** skopeo writes its messages as one quoted value. */
function unwrap(output: string): string {
  return output.replaceAll('\\"', '"');
}
