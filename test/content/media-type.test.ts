import { describe, expect, test } from '@jest/globals';
import {
  accepts,
  isHtml,
  isImageType,
  MANIFEST_ACCEPT,
  ownMediaType,
  toImageType,
  toMediaType,
} from '../../proxy/content/media-type.ts';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

const IMAGE = { schemaVersion: 2, config: {}, layers: [] };
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('a type is believed where the bytes agree', () => {
  test.each([
    [MANIFEST, IMAGE, MANIFEST],
    [MANIFEST, { ...IMAGE, mediaType: MANIFEST }, MANIFEST],
    [`${OCI.toUpperCase()} ; charset=utf-8`, IMAGE, OCI],
    [INDEX, { schemaVersion: 2, manifests: [] }, INDEX],
    [MANIFEST, { ...IMAGE, mediaType: OCI }, undefined],
    [INDEX, IMAGE, undefined],
    [MANIFEST, { schemaVersion: 2, manifests: [] }, undefined],
    [MANIFEST, { ...IMAGE, manifests: [] }, undefined],
    [MANIFEST, { ...IMAGE, fsLayers: [] }, undefined],
    [MANIFEST, { ...IMAGE, signatures: [] }, undefined],
    [MANIFEST, { ...IMAGE, schemaVersion: 1 }, undefined],
    [MANIFEST, { ...IMAGE, schemaVersion: '2' }, undefined],
    [MANIFEST, { schemaVersion: 2, config: null, layers: [] }, undefined],
    [MANIFEST, { schemaVersion: 2, config: {} }, undefined],
    [MANIFEST, { schemaVersion: 2, config: {}, layers: {} }, undefined],
    [LIST, { schemaVersion: 2, manifests: {} }, undefined],
    ['application/json', IMAGE, undefined],
    [undefined, IMAGE, undefined],
    [MANIFEST, [], undefined],
    // Go would read an index here, and the attacker's configuration there.
    [MANIFEST, { ...IMAGE, Manifests: [] }, undefined],
    [MANIFEST, { ...IMAGE, MediaType: INDEX }, undefined],
    [MANIFEST, { ...IMAGE, Config: {} }, undefined],
    [MANIFEST, { ...IMAGE, 'layer\u017f': [] }, undefined],
  ])('%s of %j', (contentType, value, expected) => {
    expect(toMediaType(bytes(value), contentType)).toBe(expected);
  });
});

describe('what bytes say they are', () => {
  test.each([
    [IMAGE, OCI],
    [{ schemaVersion: 2, manifests: [] }, INDEX],
    [{ ...IMAGE, mediaType: MANIFEST }, MANIFEST],
    [{ schemaVersion: 2, manifests: [], mediaType: LIST }, LIST],
    [{ ...IMAGE, mediaType: INDEX }, undefined],
    [{ ...IMAGE, mediaType: 'text/html' }, undefined],
    [{ ...IMAGE, mediaType: 7 }, undefined],
    [{ ...IMAGE, MediaType: MANIFEST }, undefined],
    [{ schemaVersion: 1 }, undefined],
  ])('%j', (value, expected) => {
    expect(ownMediaType(bytes(value))).toBe(expected);
  });
});

test('types of images, and pages', () => {
  expect([toImageType(`${LIST};q=1`), toImageType('text/html'), toImageType(undefined)]).toEqual([
    LIST,
    undefined,
    undefined,
  ]);
  expect([isImageType(OCI), isImageType('application/json')]).toEqual([true, false]);
  expect(['text/html5', 'x-text/html', 'application/xhtml+xml2'].map(isHtml)).toEqual([false, false, false]);
  expect(['Text/HTML; charset=utf-8', 'application/xhtml+xml', 'text/plain', undefined].map(isHtml)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test.each([
  [undefined, true],
  ['*/*', true],
  ['application/*;q=0.5', true],
  ['application/json', true],
  [`text/html, ${OCI} ; q=0.1`, true],
  [LIST, false],
  ['', false],
])('Accept: %s', (accept, expected) => {
  expect(accepts(accept, OCI)).toBe(expected);
});

test('a registry is asked for each of the four types', () => {
  expect(MANIFEST_ACCEPT).toBe(`${MANIFEST}, ${LIST}, ${OCI}, ${INDEX}`);
});
