// A client of a place-search server for pages and Node: load it by <script src>, then
//   const server = new PlaceSearch('http://127.0.0.1:8000');
//   const found = await server.search(file);
// It needs nothing else. Editors know the shapes of the answers while web/types.js lies there.

/** What a server refused, as RFC 9457 describes it. */
class PlaceSearchProblem extends Error {
  /** @param {{type: string, status: number, detail: string}} problem */
  constructor(problem) {
    super(problem.detail);
    /** Stable, such as `/problems/busy`. */
    this.type = problem.type;
    this.status = problem.status;
  }
}

/** @typedef {number[] | string | null} Box x, y, width and height of a part of a photo, in pixels */
/** @typedef {Record<string, string | number | boolean | (string | number)[] | null | undefined>} Options */
/** @typedef {{query?: Record<string, any>, headers?: Record<string, string>, body?: BodyInit}} Sent */

/** Asks one server; methods throw `PlaceSearchProblem` where it refuses. */
class PlaceSearch {
  /**
   * @param {string} [server] its address; of one of several indexes `SERVER/v1/indexes/NAME`
   * @param {string} [key] an API key
   */
  constructor(server = 'http://127.0.0.1:8000', key = '') {
    this.server = server.replace(/\/+$/, '');
    this.key = key;
  }

  /**
   * The places that look most like a photo, or like several photos of one spot.
   * @param {Blob | Blob[]} photo
   * @param {Options & {box?: Box}} [options] those of POST /v1/search, such as k
   * @returns {Promise<import('../web/types.js').SearchReply>}
   */
  search(photo, options = {}) {
    return this.ask('POST', '/v1/search', { query: options, body: PlaceSearch.#form(photo) });
  }

  /**
   * Whether two photos show the same place.
   * @param {Blob} one
   * @param {Blob} other
   * @param {{box?: Box}} [options] `box`: the part of `one` to compare
   * @returns {Promise<import('../web/types.js').CompareReply>}
   */
  compare(one, other, options = {}) {
    const form = new FormData();
    form.append('image1', one);
    form.append('image2', other);
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
   * What the model sees in a photo.
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
   * All places that fit, asked for page by page: `for await (const place of server.places())`.
   * @param {Record<string, any>} [wanted] parameters of GET /v1/places but bbox, such as {tag: ['gate']}
   * @returns {AsyncGenerator<import('../web/types.js').ListedPlaceReply>}
   */
  places(wanted = {}) {
    return this.pages('/v1/places', 'places', wanted);
  }

  /**
   * The places with a position in a box of degrees, as GeoJSON points.
   * @param {[number, number, number, number]} bbox west, south, east, north
   * @param {number} [limit] points at most, of which each then stands for several places
   * @returns {Promise<import('../web/types.js').DotsReply>}
   */
  dots(bbox, limit) {
    return this.ask('GET', '/v1/places', { query: { bbox, limit } });
  }

  /**
   * The groups of several photos of one spot, and those with a name.
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
   * A place, and the ETag by which a change of it is refused if somebody else was faster.
   * @param {number} id
   * @returns {Promise<{place: import('../web/types.js').PlaceDetailsReply, etag: string}>}
   */
  async placeWithEtag(id) {
    const reply = await this.answer('GET', `/v1/places/${id}`);
    return { place: await reply.json(), etag: reply.headers.get('etag') ?? '' };
  }

  /**
   * The places that look most like one of the index.
   * @param {number} id
   * @param {Record<string, any>} [options] those of GET /v1/places/{id}/similar, such as k
   * @returns {Promise<import('../web/types.js').SimilarReply>}
   */
  similar(id, options = {}) {
    return this.ask('GET', `/v1/places/${id}/similar`, { query: options });
  }

  /**
   * Add a photo; needs a key that may write. One that is there already stays as it is.
   * @param {Blob} photo
   * @param {{latitude?: number | null, longitude?: number | null, name?: string | null, panorama?: boolean | null}} [said]
   * @returns {Promise<import('../web/types.js').PlaceDetailsReply>}
   */
  add(photo, said = {}) {
    const body = PlaceSearch.#form(photo, said);
    return this.ask('POST', '/v1/places', { body, headers: PlaceSearch.#once() });
  }

  /**
   * Add several photos, or zip and tar archives of photos, at once; each has its own answer.
   * @param {Blob[]} photos
   * @param {{panorama?: boolean | null}} [said]
   * @returns {Promise<import('../web/types.js').AddedPhotosReply>}
   */
  addMany(photos, said = {}) {
    const body = PlaceSearch.#form(photos, said);
    return this.ask('POST', '/v1/places/bulk', { body, headers: PlaceSearch.#once() });
  }

  /**
   * Say something of a place: name, note, tags, fields, position; null takes it back.
   * @param {number} id
   * @param {Record<string, any>} said
   * @param {string} [etag] that of `placeWithEtag`
   * @returns {Promise<import('../web/types.js').PlaceDetailsReply>}
   */
  edit(id, said, etag) {
    return this.ask('PATCH', `/v1/places/${id}`, PlaceSearch.#change(said, etag));
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
   * The group of a place, and the ETag by which a change of it is refused if somebody else was faster.
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
   * @param {{name?: string | null, add?: number[], remove?: number[]}} said
   * @param {string} [etag] that of `groupWithEtag`
   * @returns {Promise<import('../web/types.js').PlaceGroupReply>}
   */
  changeGroup(id, said, etag) {
    return this.ask('PATCH', `/v1/places/${id}/group`, PlaceSearch.#change(said, etag));
  }

  /**
   * Remove a place; one that is removed already stays so.
   * @param {number} id
   * @param {string} [etag] that of `placeWithEtag`
   * @returns {Promise<null>}
   */
  remove(id, etag) {
    return this.ask('DELETE', `/v1/places/${id}`, { headers: PlaceSearch.#matching(etag) });
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
   * Where the camera is now, by all frames of its track so far.
   * @param {string} track
   * @param {Blob} frame
   * @returns {Promise<import('../web/types.js').TrackedFrameReply>}
   */
  locate(track, frame) {
    return this.ask('POST', `/v1/tracks/${track}/frames`, { body: PlaceSearch.#form(frame) });
  }

  /**
   * @param {string} track
   * @returns {Promise<import('../web/types.js').TrackPathReply>} where each frame was taken, looked back upon
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
   * The thumbnails of up to 100 places in one answer, of those that are there.
   * @param {number[]} places
   * @param {number} [side] the most pixels of a side
   * @returns {Promise<Map<number, File>>} by the place's id
   */
  async thumbnails(places, side) {
    if (!places.length) return new Map();
    const form = await (await this.answer('GET', '/v1/thumbnails', { query: { place: places, side } })).formData();
    return new Map(Array.from(form, ([place, picture]) => [Number(place), /** @type {File} */ (picture)]));
  }

  /**
   * The full address of a picture that an answer names.
   * @param {string} address such as a result's `thumbnail_url`
   */
  picture(address) {
    return this.server + address.slice(address.lastIndexOf('/v1/'));
  }

  /**
   * @param {string} path
   * @param {string} what the name of the list in each page
   * @param {Record<string, any>} wanted
   * @returns {AsyncGenerator<any>}
   */
  async *pages(path, what, wanted) {
    let query = wanted;
    for (;;) {
      const page = await this.ask('GET', path, { query });
      yield* page[what];
      if (page.next_cursor === null) return;
      query = { ...wanted, cursor: page.next_cursor };
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Sent} [sent]
   * @returns {Promise<any>} the answer's JSON, null where there is none
   */
  async ask(method, path, sent) {
    const reply = await this.answer(method, path, sent);
    return reply.status === 204 ? null : reply.json();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Sent} [sent]
   * @returns {Promise<Response>} of a status below 400
   */
  async answer(method, path, { query = {}, headers = {}, body } = {}) {
    const parameters = new URLSearchParams([...PlaceSearch.#given(query)]);
    const asked = `${parameters}` && `?${parameters}`;
    const said = this.key ? { ...headers, Authorization: `Bearer ${this.key}` } : headers;
    const reply = await fetch(this.server + path + asked, { method, headers: said, body });
    if (reply.ok) return reply;
    const about = { type: 'about:blank', status: reply.status, detail: reply.statusText };
    // What stands before a server may answer in its place, and not in JSON.
    throw new PlaceSearchProblem(await reply.json().catch(() => about));
  }

  /**
   * Photos, and what is said of them, as a form.
   * @param {Blob | Blob[]} photos
   * @param {Record<string, any>} [said]
   */
  static #form(photos, said = {}) {
    const form = new FormData();
    for (const photo of [photos].flat()) form.append('photo', photo);
    for (const [name, value] of PlaceSearch.#given(said)) form.append(name, value);
    return form;
  }

  /**
   * Values by name, each item of a list by itself; undefined and null say nothing. The numbers of a
   * box or a point are one value.
   * @param {Record<string, any>} values
   * @returns {Generator<[string, string]>}
   */
  static *#given(values) {
    for (const [name, value] of Object.entries(values)) {
      const one = ['box', 'bbox', 'near'].includes(name) && Array.isArray(value);
      for (const each of one ? [value.join(',')] : [value].flat()) {
        if (each !== undefined && each !== null) yield [name, String(each)];
      }
    }
  }

  /**
   * An empty ETag, as of a reply that had none, is refused and not left out.
   * @param {string} [etag]
   * @returns {Record<string, string>}
   */
  static #matching(etag) {
    return etag === undefined ? {} : { 'If-Match': etag };
  }

  /**
   * A change as JSON, refused where the ETag is that of an older version.
   * @param {Record<string, any>} said
   * @param {string} [etag]
   * @returns {Sent}
   */
  static #change(said, etag) {
    const headers = { 'Content-Type': 'application/json', ...PlaceSearch.#matching(etag) };
    return { headers, body: JSON.stringify(said) };
  }

  /** A key by which a request that is sent again adds nothing twice. */
  static #once() {
    const numbers = crypto.getRandomValues(new Uint32Array(4));
    return { 'Idempotency-Key': [...numbers].map((number) => number.toString(16)).join('') };
  }
}

Object.assign(globalThis, { PlaceSearch, PlaceSearchProblem });
