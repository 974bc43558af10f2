// The three most similar places of a photo: node examples/search.mjs photo.jpg

import { readFile } from 'node:fs/promises';

if (process.argv.length !== 3) {
  console.error('Name a photo: node examples/search.mjs photo.jpg');
  process.exit(2);
}
const server = process.env.PLACE_SEARCH_SERVER ?? 'http://127.0.0.1:8000';
const key = process.env.PLACE_SEARCH_KEY;

const form = new FormData();
form.append('photo', new Blob([await readFile(process.argv[2])]));

const response = await fetch(`${server}/v1/search?k=3`, {
  method: 'POST',
  body: form,
  headers: key ? { Authorization: `Bearer ${key}` } : {},
});
const reply = await response.json();
if (!response.ok) {
  console.error(`${reply.detail} (${reply.type})`);
  process.exit(1);
}
console.log(reply.match.verdict, reply.match.probability);
for (const { rank, name, similarity, position } of reply.results) {
  console.log(rank, name, similarity, position);
}
