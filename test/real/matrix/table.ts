/** The matrix for people. */
import { COLUMNS } from './columns.ts';
import { type Ending, ROWS, type Row } from './rows.ts';

export function endingOf(row: Row, column: (typeof COLUMNS)[number]): Ending {
  return row.except?.[column] ?? row.ending;
}

/** @param asked how many requests reached the public registry, in all */
export function renderTable(asked: number): string {
  const header = ['', ...COLUMNS];
  const lines = [
    header,
    ...ROWS.map((row) => [row.name, ...COLUMNS.map((column) => wordFor(endingOf(row, column)))]),
  ];
  const widths = header.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const table = lines.map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const texts = ROWS.flatMap((row) => [
    ...new Set(COLUMNS.map((column) => quote(row, endingOf(row, column)))),
  ]);
  return [
    ...table,
    '',
    'told: the person reads the sentence of the refusal. own words: the client, or the registry through it, says why.',
    ...texts.filter((text) => text !== ''),
    `${COLUMNS.length} clients, ${ROWS.length} rows: ${asked} requests reached the public registry`,
    '',
  ].join('\n');
}

function wordFor({ kind }: Ending): string {
  if (kind === 'arrives') return 'arrives';
  return kind === 'refused' ? 'refused, told' : 'fails, own words';
}

function quote({ name }: Row, ending: Ending): string {
  return ending.kind === 'arrives' ? '' : `  ${name}: ${wordFor(ending)}: "${ending.text}"`;
}
