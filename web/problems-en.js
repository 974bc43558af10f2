// Title and remedy of each problem, by the server's name of the problem, in English.
//
// Braces hold values: the `names` of the photos sent, the name of the `empty` photo, the size
// `sent`, and the HTTP `status`. The first problems and the last exist on the pages only.

export const problems = {
  empty: {
    title: 'This file is empty',
    mend: '{empty} holds no bytes. Choose the photo again.',
  },
  'broke-off': {
    title: 'The upload broke off',
    mend: 'The server answers, but it did not take the whole photo ({sent}). Try again; if it breaks off again, send a smaller copy of the photo.',
  },
  lost: {
    title: 'The connection to the server is lost',
    mend: 'Check that the server is running and that you are on its network.',
  },
  'unknown-key': {
    title: 'The server does not know this key',
    mend: 'Check it and type it again, or ask the person who runs the server.',
  },
  unauthorized: {
    title: 'The server asks for a key',
    mend: 'Type the API key that the person who runs the server gave you. It stays in this tab and is forgotten with it.',
  },
  forbidden: {
    title: 'This key may not do that',
    mend: 'The server knows the key, but it is for something else. Ask the person who runs it for another.',
  },
  'cross-site': {
    title: 'The server does not take this from another site',
    mend: 'Open the page at the server’s own address, and do it there.',
  },
  'bad-parameter': {
    title: 'A setting does not fit',
    mend: 'A setting in the address may be wrong. Open the page without what follows the question mark, and try again.',
  },
  'bad-request': {
    title: 'The server did not understand the request',
    mend: 'A setting in the address may be wrong. Open the page without what follows the question mark, and try again.',
  },
  'not-found': {
    title: 'This is not there any more',
    mend: 'The index has changed, or the photo of the place was moved. Search again, or ask the person who runs the server.',
  },
  'unknown-place': {
    title: 'There is no such place',
    mend: 'The index holds no place of this number. Search again, or look for it among all places.',
  },
  'unknown-index': {
    title: 'This index is not there',
    mend: 'The server has no index of that name. Open the page without it, or ask the person who runs the server.',
  },
  'unknown-report': {
    title: 'This report is not there',
    mend: 'It may have been moved or removed. Look at the list of all reports.',
  },
  'unknown-track': {
    title: 'This track is closed',
    mend: 'The server closes a track that nobody asks for in ten minutes, or sooner where many are open. Start again.',
  },
  'photo-gone': {
    title: 'The original photo has gone',
    mend: 'The file is not where it was when the index was made. Its thumbnail is still shown.',
  },
  'method-not-allowed': {
    title: 'The server does not do that',
    mend: 'It may only show places. Ask the person who runs it to start it with --writable.',
  },
  'slow-request': {
    title: 'The photo arrived too slowly',
    mend: 'The server waited for all of it ({sent}) and gave up. Try again on a better connection, or send a smaller copy.',
  },
  'cannot-change': {
    title: 'The index cannot be changed now',
    mend: 'Something else may be changing it, or this is its last place. Try again in a minute; if that does not help, ask the person who runs the server.',
  },
  'edit-conflict': {
    title: 'Somebody else was faster',
    mend: 'They have changed this place since you opened it. Open it again, and change what is still wanted.',
  },
  'body-too-large': {
    title: 'This photo is too large for the server',
    mend: 'It is {sent}. Send a smaller copy: 2,000 pixels on the longer side are more than enough.',
  },
  'oversized-photo': {
    title: 'This photo is too large for the server',
    mend: 'It has too many pixels. Send a smaller copy: 2,000 pixels on the longer side are more than enough.',
  },
  'unsupported-photo': {
    title: 'This file is not a photo',
    mend: '{names} is in no photo format the server reads. Choose a JPEG, PNG, WebP, AVIF or HEIC file.',
  },
  'wrong-host': {
    title: 'The server has another name',
    mend: 'It does not answer to the name in this address. Open the page at the server’s own address.',
  },
  'unreadable-photo': {
    title: 'This photo cannot be read',
    mend: '{names} is damaged or only a part of it arrived. Copy it again from where it came from, and choose that file.',
  },
  'unfit-value': {
    title: 'A value does not fit',
    mend: 'Write one of the kind that is asked for, and save again.',
  },
  'key-reused': {
    title: 'This was sent before, with something else in it',
    mend: 'Reload the page, and do it again.',
  },
  busy: {
    title: 'The server is busy',
    mend: 'Other searches are waiting before yours. Nothing is wrong with the photo.',
  },
  'rate-limited': {
    title: 'That was more than one person may ask',
    mend: 'The server takes a number of requests a minute from each. It goes on after a wait.',
  },
  internal: {
    title: 'The server could not do that',
    mend: 'It has noted what went wrong. Try again; if that does not help, tell the person who runs the server.',
  },
  'no-vocabulary': {
    title: 'This model cannot do that',
    mend: 'The model of this index does not have what is needed. An index of another model may.',
  },
  'not-ready': {
    title: 'The server is not ready yet',
    mend: 'It is still loading its model and index. The search starts by itself when it is ready.',
  },
  'storage-full': {
    title: 'The server’s disk is full',
    mend: 'What you have sent is not kept. Tell the person who runs the server, and send it again once there is room.',
  },
  'timed-out': {
    title: 'The server took too long',
    mend: 'It has more work than it can do just now. Try again in a minute.',
  },
  'engine-down': {
    title: 'The search engine behind the server does not answer',
    mend: 'The server asks it again and again. The search goes on by itself when it answers.',
  },
  'index-damaged': {
    title: 'The index is damaged',
    mend: 'A part of it that this search needs cannot be read. Tell the person who runs the server.',
  },
  unknown: {
    title: 'The server could not search',
    mend: 'It answered with status {status}. Try again; if that does not help, tell the person who runs the server.',
  },
};
