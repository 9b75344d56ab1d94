import { expect, test } from '@jest/globals';
import { explainPath } from '../../proxy/wire/explain-path.ts';

const NO_PATH = 'is not a path this proxy answers; nothing in it is decoded or corrected';
const NO_DIGEST = 'is not a digest: sha256: with 64 or sha512: with 128 lower-case hex digits';
const NO_TAG =
  'is not a tag: at most 128 letters, digits, "_", "." or "-", of which "." and "-" cannot come first';
const NO_NAME =
  'is not a repository name: lower-case letters and digits, separated by ".", "_", "__", "-" or "/"';
const ABSOLUTE =
  'requests in absolute form are not proxied; set this proxy as HTTPS_PROXY, and address the registry with https://';

test.each([
  ['http://h/v2/', 'NAME_INVALID', ABSOLUTE],
  ['HTTPS://h/v2/', 'NAME_INVALID', ABSOLUTE],
  ['v2/', 'NAME_INVALID', 'the request-target must start with a slash'],
  ['/x', 'NAME_INVALID', `"/x" ${NO_PATH}`],
  ['/http://h/v2/', 'NAME_INVALID', `"/http://h/v2/" ${NO_PATH}`],
  ['/v2/a/uploads/x', 'NAME_INVALID', `"/v2/a/uploads/x" ${NO_PATH}`],
  ['/hub/v2/a/manifests/-x', 'NAME_INVALID', `"/hub/v2/a/manifests/-x" ${NO_PATH}`],
  ['/v2/manifests/x', 'NAME_INVALID', `"/v2/manifests/x" ${NO_PATH}`],
  ['/v2//manifests/x', 'NAME_INVALID', `"" ${NO_NAME}`],
  ['/v2/A/manifests/x', 'NAME_INVALID', `"A" ${NO_NAME}`],
  ['/v2/a%2fb/blobs/x', 'NAME_INVALID', `"a%2fb" ${NO_NAME}`],
  ['/v2/a/blobs/x', 'DIGEST_INVALID', `"x" ${NO_DIGEST}`],
  ['/v2/a/referrers/x', 'DIGEST_INVALID', `"x" ${NO_DIGEST}`],
  ['/v2/a/manifests/sha256:x', 'DIGEST_INVALID', `"sha256:x" ${NO_DIGEST}`],
  ['/v2/a/manifests/-x', 'TAG_INVALID', `"-x" ${NO_TAG}`],
  ['/v2/a/manifests/', 'TAG_INVALID', `"" ${NO_TAG}`],
  // The last of the words counts, as it does in the grammar.
  ['/v2/a/manifests/b/blobs/x', 'DIGEST_INVALID', `"x" ${NO_DIGEST}`],
  ['/v2/a/blobs/b/manifests/-x', 'TAG_INVALID', `"-x" ${NO_TAG}`],
  ['/v2/a/blobs/b/referrers/x', 'DIGEST_INVALID', `"x" ${NO_DIGEST}`],
])('%s: %s, and what a right one looks like', (path, code, message) => {
  expect(explainPath(path)).toEqual({ code, message });
});
