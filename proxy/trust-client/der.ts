/**
 * The few facts of an X.509 certificate that node:crypto does not give exactly: the signature algorithm, every
 * subject common name, basicConstraints as Go reads it, and the extended key usages (notary-semantics.md §14).
 *
 * Callers hand in bytes that OpenSSL has already parsed as a certificate; the reader checks every length itself all
 * the same and throws RangeError for anything it does not understand.
 */

type Element = { readonly tag: number; readonly body: Uint8Array };

export type CertificateFacts = {
  /** Object identifier of the algorithm the issuer signed with, dotted. */
  readonly signatureAlgorithm: string;
  /** The last common name of the subject, as Go keeps it; undefined when there is none it can read. */
  readonly commonName: string | undefined;
  /** basicConstraints is present and says cA TRUE. */
  readonly isCa: boolean;
  /** Dotted extended key usages; undefined when the extension is absent. */
  readonly extendedKeyUsages: readonly string[] | undefined;
};

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
const BOOLEAN = 0x01;
const EXPLICIT_VERSION = 0xa0;
const EXPLICIT_EXTENSIONS = 0xa3;
const COMMON_NAME = '2.5.4.3';
const BASIC_CONSTRAINTS = '2.5.29.19';
const EXTENDED_KEY_USAGE = '2.5.29.37';

/** String types by tag: UTF-8, then the three that are subsets of Latin-1. */
const STRING_ENCODINGS = new Map<number, 'utf8' | 'latin1'>([
  [0x0c, 'utf8'],
  [0x13, 'latin1'],
  [0x14, 'latin1'],
  [0x16, 'latin1'],
]);

/** Source: RFC 5280 §4.1. @throws RangeError when the bytes are not laid out so. */
export function readCertificateFacts(der: Uint8Array): CertificateFacts {
  const [tbs, algorithm] = children(single(der));
  if (tbs === undefined || algorithm === undefined) throw new RangeError('a certificate has three parts');
  const fields = children(tbs);
  const afterVersion = fields[0]?.tag === EXPLICIT_VERSION ? 1 : 0;
  const subject = fields[afterVersion + 4];
  if (subject === undefined) throw new RangeError('a certificate names a subject');
  const extensions = readExtensions(fields.find((field) => field.tag === EXPLICIT_EXTENSIONS));
  const usages = extensions.get(EXTENDED_KEY_USAGE);
  return {
    signatureAlgorithm: readOid(children(algorithm)[0]),
    commonName: readCommonName(subject),
    isCa: readIsCa(extensions.get(BASIC_CONSTRAINTS)),
    extendedKeyUsages: usages && children(single(usages)).map(readOid),
  };
}

function readCommonName(subject: Element): string | undefined {
  const attributes = children(subject).flatMap(children).map(children);
  const last = attributes.findLast(
    ([type]) => type?.tag === OBJECT_IDENTIFIER && readOid(type) === COMMON_NAME,
  );
  const value = last?.[1];
  if (value === undefined) return undefined;
  const encoding = STRING_ENCODINGS.get(value.tag);
  return encoding && Buffer.from(value.body).toString(encoding);
}

function readExtensions(field: Element | undefined): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  if (field === undefined) return found;
  for (const extension of children(single(field.body))) {
    const parts = children(extension);
    const value = parts.at(-1);
    if (value !== undefined) found.set(readOid(parts[0]), value.body);
  }
  return found;
}

function readIsCa(value: Uint8Array | undefined): boolean {
  if (value === undefined) return false;
  const first = children(single(value))[0];
  return first?.tag === BOOLEAN && first.body[0] === 0xff;
}

function readOid(element: Element | undefined): string {
  if (element?.tag !== OBJECT_IDENTIFIER || element.body.length === 0)
    throw new RangeError('expected an OID');
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of element.body) {
    arc = arc * 128 + (byte & 0x7f);
    if (!Number.isSafeInteger(arc)) throw new RangeError('an OID arc out of range');
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(Math.floor(first / 40), 2);
  return [top, first - top * 40, ...rest].join('.');
}

function children(element: Element): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < element.body.length; ) {
    const { element: child, end } = readElement(element.body, at);
    found.push(child);
    at = end;
  }
  return found;
}

function single(der: Uint8Array): Element {
  const { element } = readElement(der, 0);
  if (element.tag !== SEQUENCE) throw new RangeError('expected a SEQUENCE');
  return element;
}

/** One tag-length-value at `at`; the long form of lengths up to four bytes (a certificate is far shorter). */
function readElement(der: Uint8Array, at: number): { readonly element: Element; readonly end: number } {
  const tag = der[at];
  const first = der[at + 1];
  if (tag === undefined || first === undefined) throw new RangeError('cut short');
  let length = first;
  let start = at + 2;
  if (first >= 0x80) {
    const width = first - 0x80;
    if (width === 0 || width > 4) throw new RangeError('a length out of range');
    length = 0;
    for (let i = 0; i < width; i += 1) length = length * 256 + (der[start + i] ?? Number.NaN);
    start += width;
  }
  // NaN, from a length cut short, fails this comparison as it should.
  if (!(start + length <= der.length)) throw new RangeError('cut short');
  return { element: { tag, body: der.subarray(start, start + length) }, end: start + length };
}
