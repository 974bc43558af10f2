// A client of a place-search server for pages and Node: load it by <script src>, then
//   const server = new PlaceSearch('http://127.0.0.1:8000');
//   const reply = await server.search(file);
// It needs no other file. Editors read the types of the answers from web/types.js.

/** A problem that a server answered with, as RFC 9457 describes it. */
class PlaceSearchProblem extends Error {
  /** @param {{type: string, status: number, detail: string}} problem */
  constructor(problem) {
    super(problem.detail);
    /** The stable name of the kind of problem, such as `/problems/busy`. */
    this.type = problem.type;
    this.status = problem.status;
  }
}

/** @typedef {number[] | string | null} Box x, y, width and height of a part of a photo, in pixels */
/** @typedef {Record<string, string | number | boolean | (string | number)[] | null | undefined>} Options */
/** @typedef {{query?: Record<string, any>, headers?: Record<string, string>, body?: BodyInit}} RequestParts */

/** A client of one server; its methods throw `PlaceSearchProblem` where the server refuses. */
class PlaceSearch {
  /**
   * @param {string} [server] the server's address; `SERVER/v1/indexes/NAME` for one of several indexes
   * @param {string} [key] an API key
   */
  constructor(server = 'http://127.0.0.1:8000', key = '') {
    this.server = server.replace(/\/+$/, '');
    this.key = key;
  }

  /**
   * The places that look most like a photo, or like several photos of one spot.
   * @param {Blob | Blob[]} photo
   * @param {Options & {box?: Box}} [options] parameters of POST /v1/search, such as k
   * @returns {Promise<import('../web/types.js').SearchReply>}
   */
  search(photo, options = {}) {
    return this.ask('POST', '/v1/search', { query: options, body: PlaceSearch.#form(photo) });
  }

  /**
   * Whether two photos show the same place.
   * @param {Blob} photo1
   * @param {Blob} photo2
   * @param {{box?: Box}} [options] `box`: the part of `photo1` to compare
   * @returns {Promise<import('../web/types.js').CompareReply>}
   */
  compare(photo1, photo2, options = {}) {
    const form = new FormData();
    form.append('image1', photo1);
    form.append('image2', photo2);
    return this.ask('POST', '/v1/compare', { query: options, body: form });
  }

  /** @returns {Promise<import('../web/types.js').IndexReply>} */
  index() {
    return this.ask('GET', '/v1/index');
  }

  /** @returns {Promise<import('../web/types.js').ModelReply>} the model that searches */
  model() {
    return this.ask('GET', '/v1/model');
  }

  /**
   * How the model turns a photo into a descriptor.
   * @param {Blob} photo
   * @returns {Promise<import('../web/types.js').ExplainReply>}
   */
  explain(photo) {
    return this.ask('POST', '/v1/explain', { body: PlaceSearch.#form(photo) });
  }

  /** The server's indexes. @returns {Promise<import('../web/types.js').ServedIndexReply[]>} */
  async indexes() {
    return (await this.ask('GET', '/v1/indexes')).indexes;
  }

  /**
   * All places that match the filters, read page by page: `for await (const place of server.places())`.
   * @param {Record<string, any>} [filters] parameters of GET /v1/places but bbox, such as {tag: ['gate']}
   * @returns {AsyncGenerator<import('../web/types.js').ListedPlaceReply>}
   */
  places(filters = {}) {
    return this.pages('/v1/places', 'places', filters);
  }

  /**
   * The places with a position in a box of degrees, as GeoJSON points.
   * @param {[number, number, number, number]} bbox west, south, east, north
   * @param {number} [limit] the most points; beyond it, each point stands for several places
   * @returns {Promise<import('../web/types.js').DotsReply>}
   */
  dots(bbox, limit) {
    return this.ask('GET', '/v1/places', { query: { bbox, limit } });
  }

  /**
   * The groups that have several photos or a name.
   * @returns {AsyncGenerator<import('../web/types.js').GroupReply>}
   */
  groups() {
    return this.pages('/v1/groups', 'groups', {});
  }

  /**
   * @param {number} id
   * @returns {Promise<import('../web/types.js').PlaceDetailsReply>}
   */
  place(id) {
    return this.ask('GET', `/v1/places/${id}`);
  }

  /**
   * A place and its ETag, by which the server refuses a change after somebody else's.
   * @param {number} id
   * @returns {Promise<{place: import('../web/types.js').PlaceDetailsReply, etag: string}>}
   */
  async placeWithEtag(id) {
    const reply = await this.answer('GET', `/v1/places/${id}`);
    return { place: await reply.json(), etag: reply.headers.get('etag') ?? '' };
  }

  /**
   * The places of the index that look most like one of them.
   * @param {number} id
   * @param {Record<string, any>} [options] parameters of GET /v1/places/{id}/similar, such as k
   * @returns {Promise<import('../web/types.js').SimilarReply>}
   */
  similar(id, options = {}) {
    return this.ask('GET', `/v1/places/${id}/similar`, { query: options });
  }

  /**
   * Add a photo; needs a key that may write. A photo that the index has already stays as it is.
   * @param {Blob} photo
   * @param {{latitude?: number | null, longitude?: number | null, name?: string | null, panorama?: boolean | null}} [details]
   * @returns {Promise<import('../web/types.js').PlaceDetailsReply>}
   */
  add(photo, details = {}) {
    const body = PlaceSearch.#form(photo, details);
    return this.ask('POST', '/v1/places', { body, headers: PlaceSearch.#idempotencyKey() });
  }

  /**
   * Add several photos, or zip and tar archives of photos, at once; each has its own answer.
   * @param {Blob[]} photos
   * @param {{panorama?: boolean | null}} [details] of all photos
   * @returns {Promise<import('../web/types.js').AddedPhotosReply>}
   */
  addMany(photos, details = {}) {
    const body = PlaceSearch.#form(photos, details);
    return this.ask('POST', '/v1/places/bulk', { body, headers: PlaceSearch.#idempotencyKey() });
  }

  /**
   * Change a place's name, note, tags, fields or position; null deletes a value.
   * @param {number} id
   * @param {Record<string, any>} patch
   * @param {string} [etag] of `placeWithEtag`
   * @returns {Promise<import('../web/types.js').PlaceDetailsReply>}
   */
  edit(id, patch, etag) {
    return this.ask('PATCH', `/v1/places/${id}`, PlaceSearch.#jsonRequest(patch, etag));
  }

  /**
   * The group of photos that show the same spot as a place.
   * @param {number} id
   * @returns {Promise<import('../web/types.js').PlaceGroupReply>}
   */
  group(id) {
    return this.ask('GET', `/v1/places/${id}/group`);
  }

  /**
   * The group of a place and its ETag, by which the server refuses a change after somebody else's.
   * @param {number} id
   * @returns {Promise<{group: import('../web/types.js').PlaceGroupReply, etag: string}>}
   */
  async groupWithEtag(id) {
    const reply = await this.answer('GET', `/v1/places/${id}/group`);
    return { group: await reply.json(), etag: reply.headers.get('etag') ?? '' };
  }

  /**
   * Change the group that a place is in.
   * @param {number} id
   * @param {{name?: string | null, add?: number[], remove?: number[]}} patch
   * @param {string} [etag] of `groupWithEtag`
   * @returns {Promise<import('../web/types.js').PlaceGroupReply>}
   */
  changeGroup(id, patch, etag) {
    return this.ask('PATCH', `/v1/places/${id}/group`, PlaceSearch.#jsonRequest(patch, etag));
  }

  /**
   * Remove a place; a place that is removed already stays removed.
   * @param {number} id
   * @param {string} [etag] of `placeWithEtag`
   * @returns {Promise<null>}
   */
  remove(id, etag) {
    return this.ask('DELETE', `/v1/places/${id}`, { headers: PlaceSearch.#ifMatch(etag) });
  }

  /**
   * Bring back a removed place.
   * @param {number} id
   * @returns {Promise<import('../web/types.js').PlaceDetailsReply>}
   */
  restore(id) {
    return this.ask('POST', `/v1/places/${id}/restore`);
  }

  /**
   * Open a track to the frames of a camera that moves.
   * @returns {Promise<import('../web/types.js').TrackReply>} with the `track_id` that the other methods take
   */
  openTrack() {
    return this.ask('POST', '/v1/tracks');
  }

  /**
   * The camera's place now, by this frame and the track's earlier ones.
   * @param {string} track
   * @param {Blob} frame
   * @returns {Promise<import('../web/types.js').TrackedFrameReply>}
   */
  locate(track, frame) {
    return this.ask('POST', `/v1/tracks/${track}/frames`, { body: PlaceSearch.#form(frame) });
  }

  /**
   * @param {string} track
   * @returns {Promise<import('../web/types.js').TrackPathReply>} the last frames, at most a thousand, each located by itself and the frames before
   */
  track(track) {
    return this.ask('GET', `/v1/tracks/${track}`);
  }

  /**
   * @param {string} track
   * @returns {Promise<null>}
   */
  closeTrack(track) {
    return this.ask('DELETE', `/v1/tracks/${track}`);
  }

  /**
   * The thumbnails of up to 100 places by one request, without those that the server lacks.
   * @param {number[]} places
   * @param {number} [side] pixels of the longer side at most
   * @returns {Promise<Map<number, File>>} by the place's id
   */
  async thumbnails(places, side) {
    if (!places.length) return new Map();
    const form = await (await this.answer('GET', '/v1/thumbnails', { query: { place: places, side } })).formData();
    return new Map(Array.from(form, ([place, picture]) => [Number(place), /** @type {File} */ (picture)]));
  }

  /**
   * The full address of a picture from its address in an answer.
   * @param {string} address such as a result's `thumbnail_url`
   */
  picture(address) {
    return this.server + address.slice(address.lastIndexOf('/v1/'));
  }

  /**
   * The items of a list that the server splits into pages.
   * @param {string} path
   * @param {string} listName the list's field in each page
   * @param {Record<string, any>} filters
   * @returns {AsyncGenerator<any>}
   */
  async *pages(path, listName, filters) {
    let query = filters;
    for (;;) {
      const page = await this.ask('GET', path, { query });
      yield* page[listName];
      if (page.next_cursor === null) return;
      query = { ...filters, cursor: page.next_cursor };
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestParts} [request]
   * @returns {Promise<any>} the answer's JSON, null where it has none
   */
  async ask(method, path, request) {
    const reply = await this.answer(method, path, request);
    return reply.status === 204 ? null : reply.json();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestParts} [request]
   * @returns {Promise<Response>} of a status below 400
   */
  async answer(method, path, { query = {}, headers = {}, body } = {}) {
    const parameters = new URLSearchParams([...PlaceSearch.#formFields(query)]);
    const search = `${parameters}` && `?${parameters}`;
    const allHeaders = this.key ? { ...headers, Authorization: `Bearer ${this.key}` } : headers;
    const reply = await fetch(this.server + path + search, { method, headers: allHeaders, body });
    if (reply.ok) return reply;
    const problem = { type: 'about:blank', status: reply.status, detail: reply.statusText };
    // A proxy's answer may not be JSON.
    throw new PlaceSearchProblem(await reply.json().catch(() => problem));
  }

  /**
   * Photos and their details as a form.
   * @param {Blob | Blob[]} photos
   * @param {Record<string, any>} [details]
   */
  static #form(photos, details = {}) {
    const form = new FormData();
    for (const photo of [photos].flat()) form.append('photo', photo);
    for (const [name, value] of PlaceSearch.#formFields(details)) form.append(name, value);
    return form;
  }

  /**
   * Names and values, without those that are undefined or null. Each item of a list is a value of its
   * own, but the numbers of a box or a point are one value.
   * @param {Record<string, any>} values
   * @returns {Generator<[string, string]>}
   */
  static *#formFields(values) {
    for (const [name, value] of Object.entries(values)) {
      const isOneValue = ['box', 'bbox', 'near'].includes(name) && Array.isArray(value);
      for (const item of isOneValue ? [value.join(',')] : [value].flat()) {
        if (item !== undefined && item !== null) yield [name, String(item)];
      }
    }
  }

  /**
   * The header that sends an ETag. An empty one, of a reply without an ETag, is sent and refused.
   * @param {string} [etag]
   * @returns {Record<string, string>}
   */
  static #ifMatch(etag) {
    return etag === undefined ? {} : { 'If-Match': etag };
  }

  /**
   * A change as JSON, which the server refuses where the ETag is of an older version.
   * @param {Record<string, any>} patch
   * @param {string} [etag]
   * @returns {RequestParts}
   */
  static #jsonRequest(patch, etag) {
    const headers = { 'Content-Type': 'application/json', ...PlaceSearch.#ifMatch(etag) };
    return { headers, body: JSON.stringify(patch) };
  }

  /** The header by which a request that is sent again adds nothing twice. */
  static #idempotencyKey() {
    const numbers = crypto.getRandomValues(new Uint32Array(4));
    return { 'Idempotency-Key': [...numbers].map((number) => number.toString(16)).join('') };
  }
}

Object.assign(globalThis, { PlaceSearch, PlaceSearchProblem });
