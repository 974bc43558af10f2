// A client of a place-search server for pages and Node: load it by <script src>, then
//   const server = new PlaceSearch('http://127.0.0.1:8000');
//   const found = await server.search(file);
// It needs nothing else. The shapes of the answers are those of web/types.js.

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
   * @param {Record<string, string | number | boolean>} [options] those of POST /v1/search, such as k
   * @returns {Promise<any>} a SearchReply
   */
  search(photo, options = {}) {
    const form = new FormData();
    for (const one of Array.isArray(photo) ? photo : [photo]) form.append('photo', one);
    return this.ask('POST', '/v1/search', { query: options, body: form });
  }

  /**
   * Whether two photos show the same place.
   * @param {Blob} one
   * @param {Blob} other
   * @returns {Promise<any>} a CompareReply
   */
  compare(one, other) {
    const form = new FormData();
    form.append('image1', one);
    form.append('image2', other);
    return this.ask('POST', '/v1/compare', { body: form });
  }

  /** @returns {Promise<any>} an IndexReply */
  index() {
    return this.ask('GET', '/v1/index');
  }

  /**
   * All places that fit, asked for page by page: `for await (const place of server.places())`.
   * @param {Record<string, any>} [wanted] parameters of GET /v1/places, such as {tag: ['gate']}
   * @returns {AsyncGenerator<any>} each a PlaceDetailsReply
   */
  async *places(wanted = {}) {
    let cursor = null;
    do {
      const query = cursor === null ? wanted : { ...wanted, cursor };
      const page = await this.ask('GET', '/v1/places', { query });
      yield* page.places;
      cursor = page.next_cursor;
    } while (cursor !== null);
  }

  /**
   * @param {number} id
   * @returns {Promise<any>} a PlaceDetailsReply
   */
  place(id) {
    return this.ask('GET', `/v1/places/${id}`);
  }

  /**
   * The places that look most like one of the index.
   * @param {number} id
   * @param {Record<string, any>} [options] those of GET /v1/places/{id}/similar, such as k
   * @returns {Promise<any>} a SimilarReply
   */
  similar(id, options = {}) {
    return this.ask('GET', `/v1/places/${id}/similar`, { query: options });
  }

  /**
   * Add a photo; needs a key that may write.
   * @param {Blob} photo
   * @param {{latitude?: number, longitude?: number, name?: string}} [said]
   * @returns {Promise<any>} a PlaceDetailsReply
   */
  add(photo, said = {}) {
    const form = new FormData();
    form.append('photo', photo);
    for (const [name, value] of Object.entries(said)) form.append(name, String(value));
    return this.ask('POST', '/v1/places', { body: form });
  }

  /**
   * Say something of a place: name, note, tags, fields, position; null takes it back.
   * @param {number} id
   * @param {Record<string, any>} said
   * @returns {Promise<any>} a PlaceDetailsReply
   */
  edit(id, said) {
    const headers = { 'Content-Type': 'application/json' };
    return this.ask('PATCH', `/v1/places/${id}`, { headers, body: JSON.stringify(said) });
  }

  /**
   * The group of photos that show the same spot as a place.
   * @param {number} id
   * @returns {Promise<any>} a PlaceGroupReply
   */
  group(id) {
    return this.ask('GET', `/v1/places/${id}/group`);
  }

  /**
   * Change the group that a place is in.
   * @param {number} id
   * @param {{name?: string | null, add?: number[], remove?: number[]}} said
   * @returns {Promise<any>} a PlaceGroupReply
   */
  changeGroup(id, said) {
    const headers = { 'Content-Type': 'application/json' };
    return this.ask('PATCH', `/v1/places/${id}/group`, { headers, body: JSON.stringify(said) });
  }

  /** @param {number} id */
  remove(id) {
    return this.ask('DELETE', `/v1/places/${id}`);
  }

  /**
   * Bring back a removed place.
   * @param {number} id
   * @returns {Promise<any>} a PlaceDetailsReply
   */
  restore(id) {
    return this.ask('POST', `/v1/places/${id}/restore`);
  }

  /**
   * The full address of a picture that an answer names.
   * @param {string} address such as a result's `thumbnail_url`
   */
  picture(address) {
    return this.server + address.slice(address.lastIndexOf('/v1/'));
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{query?: Record<string, any>, headers?: Record<string, string>, body?: BodyInit}} [sent]
   * @returns {Promise<any>} the answer's JSON, null where there is none
   */
  async ask(method, path, { query = {}, headers = {}, body } = {}) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      for (const each of [value].flat()) parameters.append(name, String(each));
    }
    const asked = parameters.size ? `?${parameters}` : '';
    const sent = this.key ? { ...headers, Authorization: `Bearer ${this.key}` } : headers;
    const reply = await fetch(this.server + path + asked, { method, headers: sent, body });
    if (reply.status === 204) return null;
    const answer = await reply.json();
    if (!reply.ok) throw new PlaceSearchProblem(answer);
    return answer;
  }
}

Object.assign(globalThis, { PlaceSearch, PlaceSearchProblem });
