// The replies of the HTTP API, from docs/openapi.json; written by
// `python -m docs.generators.types`.

/**
 * @typedef {object} AddedPhotoReply The result for each of several photos to add
 * @property {string[]} [notes] Sentences about what was odd in the photo
 * @property {string} file As it was sent, in an archive or by itself
 * @property {number} status 201 for a new place, 200 for one that was there, else 422
 * @property {PlaceDetailsReply | null} place
 * @property {string | null} problem Why it could not be added; null where it was
 * @property {(ReasonReply | null)[]} reasons The notes as codes, in their order; null where one has none
 */

/**
 * @typedef {object} AddedPhotosReply The results for several photos, which were added by one change of the index
 * @property {string} index_id
 * @property {number} added
 * @property {number} known Photos that the index had already
 * @property {number} refused
 * @property {AddedPhotoReply[]} photos One for each photo, in their order
 */

/**
 * @typedef {object} AddedPlaceReply The place of a photo that was added, or was there already, with notes on the photo
 * @property {number} place_id
 * @property {string} name What it is called; by default its photo's path in the folder
 * @property {PositionReply | null} position
 * @property {UtmReply | null} utm
 * @property {string} image_url The photo as a JPEG of at most 1600 pixels a side
 * @property {string} thumbnail_url A small JPEG, which may be cached for good
 * @property {string | null} [taken] When the photo was taken, ISO 8601 in UTC
 * @property {number | null} [heading] The direction of the photo, degrees from north
 * @property {string} [note] A note that people wrote; empty for none
 * @property {string[]} [tags]
 * @property {Record<string, string | number | boolean>} [fields] The index's own fields, as GET /v1/index declares them
 * @property {string[]} [notes] Sentences about what was odd in the photo
 * @property {(ReasonReply | null)[]} reasons The notes as codes, in their order; null where one has none
 */

/**
 * @typedef {object} CompareReply Whether two photos show the same place
 * @property {number} similarity Cosine of the two descriptors, at most 1
 * @property {number} probability That both show the same place
 * @property {number} threshold The probability from which the result is same
 * @property {'same' | 'different'} result
 * @property {number} inliers Matching points, which agree on one arrangement; 0 for none
 * @property {number[][]} matches Each x1, y1, x2, y2: pixels of the two photos as sent, upright
 * @property {string} model The model's id
 * @property {string[]} notes Sentences about what was odd in the photos or the model
 * @property {string[]} photo_notes Those of the notes that are about the photos
 * @property {(ReasonReply | null)[]} photo_reasons photo_notes as codes, in their order; null where one has none
 */

/**
 * @typedef {object} ExplainReply The model's steps from a photo to its descriptor
 * @property {string} model The model's id
 * @property {SizeReply} photo The upright photo as sent
 * @property {SizeReply} seen The input of the network
 * @property {GridReply} grid
 * @property {number} clusters Clusters of the vocabulary
 * @property {number} channels Numbers in a cell
 * @property {number} dims Numbers in the descriptor
 * @property {number[][]} assignment The cluster that has the largest share in each cell, row by row from the top
 * @property {number[]} cluster_norms The length of each cluster's part of the sums
 * @property {number[][]} sums What each cluster sums up of the cells, of length 1 in all. The descriptor is the same numbers one after another, or what a whitening makes of them
 * @property {number[]} descriptor
 */

/**
 * @typedef {object} GridReply The backbone's grid of cells
 * @property {number} columns
 * @property {number} rows
 */

/**
 * @typedef {object} GroupReply A group of photos that show the same spot
 * @property {number} id
 * @property {string | null} name The name that people gave the group
 * @property {number} photos The number of its photos in the index
 * @property {boolean} held Named or changed by hand: grouping never parts it
 * @property {number[]} place_ids Ascending; the group's id is one of them, or that of a removed place
 */

/**
 * @typedef {object} GroupsReply A page of the groups of several photos, and of those with a name
 * @property {string} index_id
 * @property {number} total Groups on all pages
 * @property {GroupReply[]} groups
 * @property {string | null} next_cursor For the next page; null on the last one
 */

/**
 * @typedef {object} IndexReply The facts of the index that the server searches
 * @property {string} index_id
 * @property {string} model The model's id
 * @property {string} fingerprint Of the model's weights, preprocessing and precision
 * @property {string} precision Of the descriptors, and of those of queries: f32 or int8
 * @property {number} places
 * @property {number} positions The number of places that have a position
 * @property {number} dims Numbers in a descriptor
 * @property {string} created When the index was built, ISO 8601
 * @property {number} format_version
 * @property {SkippedReply} skipped
 * @property {Record<string, string>} [fields] The index's own fields: text, number, boolean or date by name
 * @property {Record<string, number>} [tags] Tags, with the number of places that have each
 */

/**
 * @typedef {object} IndexesReply The server's indexes; the first is that of addresses without a name
 * @property {ServedIndexReply[]} indexes
 */

/**
 * @typedef {object} ListedPlaceReply A place of a page of places, with its group
 * @property {number} place_id
 * @property {string} name What it is called; by default its photo's path in the folder
 * @property {PositionReply | null} position
 * @property {UtmReply | null} utm
 * @property {string} image_url The photo as a JPEG of at most 1600 pixels a side
 * @property {string} thumbnail_url A small JPEG, which may be cached for good
 * @property {string | null} [taken] When the photo was taken, ISO 8601 in UTC
 * @property {number | null} [heading] The direction of the photo, degrees from north
 * @property {string} [note] A note that people wrote; empty for none
 * @property {string[]} [tags]
 * @property {Record<string, string | number | boolean>} [fields] The index's own fields, as GET /v1/index declares them
 * @property {SpotReply | null} [group] null where no other photo is known to show the same spot
 */

/**
 * @typedef {object} LiveReply The answer of a process that is alive
 * @property {string} [status]
 */

/**
 * @typedef {object} LocatedFrameReply A frame with its place, by the frame itself and the frames before
 * @property {number} frame From 0 on
 * @property {string} name
 * @property {number | null} seconds Of a video; null for photos
 * @property {boolean} known False where no place, give or take a step, is more probable than not
 * @property {number} probability Of the place and the two on each side of it, or of being off
 * @property {number | null} place_id
 * @property {string | null} place The place's name
 * @property {PositionReply | null} position
 * @property {number | null} heading Degrees from north, where the camera moves
 */

/**
 * @typedef {object} LocationReply The estimated position of the photo; null unless the verdict is found
 * @property {number} latitude
 * @property {number} longitude
 * @property {number} radius_m
 */

/**
 * @typedef {object} MatchReply Whether the photo's place is among those of the index
 * @property {'found' | 'unsure' | 'not_found'} verdict
 * @property {number} probability That of the first result; 0 for no results
 * @property {number} threshold The probability from which the verdict is found
 */

/**
 * @typedef {object} ModelReply The facts of the server's model, from its card
 * @property {string} id
 * @property {string} title
 * @property {string} family
 * @property {string} backbone
 * @property {number | null} clusters Clusters of the NetVLAD vocabulary, if it has one
 * @property {number | null} channels Numbers in a local feature, if it gives them
 * @property {number} dims Numbers in the descriptor
 * @property {number} photo_side Pixels of a photo's longer side that are enough, twice those that it takes
 * @property {number | null} stride Pixels from one local feature to the next
 * @property {boolean} whitened
 * @property {string} licence
 * @property {string | null} fitted The origin of the weights, where the card names it
 */

/**
 * @typedef {object} PlaceDetailsReply A place with its time and heading, its note, tags and own fields
 * @property {number} place_id
 * @property {string} name What it is called; by default its photo's path in the folder
 * @property {PositionReply | null} position
 * @property {UtmReply | null} utm
 * @property {string} image_url The photo as a JPEG of at most 1600 pixels a side
 * @property {string} thumbnail_url A small JPEG, which may be cached for good
 * @property {string | null} [taken] When the photo was taken, ISO 8601 in UTC
 * @property {number | null} [heading] The direction of the photo, degrees from north
 * @property {string} [note] A note that people wrote; empty for none
 * @property {string[]} [tags]
 * @property {Record<string, string | number | boolean>} [fields] The index's own fields, as GET /v1/index declares them
 */

/**
 * @typedef {object} PlaceGroupReply The group that a place is in; a place that was never grouped is in a group of its own
 * @property {number} id
 * @property {string | null} name The name that people gave the group
 * @property {number} photos The number of its photos in the index
 * @property {boolean} held Named or changed by hand: grouping never parts it
 * @property {number[]} place_ids Ascending; the group's id is one of them, or that of a removed place
 * @property {string} index_id
 * @property {PlaceDetailsReply[]} places The first 500 of its places
 */

/**
 * @typedef {object} PlacesReply A page of the places of the index
 * @property {string} index_id
 * @property {number} total Places that fit, or their spots, on all pages
 * @property {ListedPlaceReply[]} places
 * @property {string | null} next_cursor For the next page; null on the last one
 * @property {boolean} changed The cursor is of another version of the index: a place that was edited since, or a spot whose photos changed, may come twice or not at all, all others once
 */

/**
 * @typedef {object} PositionReply A point on the WGS 84 ellipsoid
 * @property {number} latitude Degrees north
 * @property {number} longitude Degrees east
 */

/**
 * @typedef {object} QueryReply The size, the position and the views of the query photo, and notes on it
 * @property {number} width Pixels, of the upright photo as sent
 * @property {number} height Pixels, of the upright photo as sent
 * @property {PositionReply | null} position From the photo's Exif or XMP
 * @property {string[]} notes Sentences about what was odd in the photo or request
 * @property {ViewReply[]} [views] What a 360° panorama was cut into; empty for others
 * @property {(ReasonReply | null)[]} reasons The notes as codes, in their order; null where one has none
 */

/**
 * @typedef {object} ReadyReply Index and model are loaded; clients that may not read the index get the status only
 * @property {string} [status]
 * @property {string | null} [index_id]
 * @property {string | null} [model]
 * @property {number | null} [places]
 * @property {string | null} [refused] That the index was removed, or a newer version cannot be opened
 * @property {string | null} [damaged] That a file of the index is damaged; the log says which
 */

/**
 * @typedef {object} ReasonReply The code of a sentence and its values, for pages in other languages
 * @property {string} code Stable, such as gps-broken
 * @property {Record<string, string>} values What stands in the sentence, by name
 */

/**
 * @typedef {object} ReportReply The figures of an evaluation; shares are in per cent
 * @property {string} name The name of its folder; its page is at /reports/NAME/
 * @property {string} created When it was written, ISO 8601
 * @property {string} truth The ground truth of the evaluation
 * @property {string} protocol The rule for the candidates and right places of a query
 * @property {string} model The model's id
 * @property {number} queries
 * @property {number} database Photos that were searched
 * @property {Record<string, number>} recall By N: queries with a right place in the first N
 * @property {Record<string, number>} chance By N: the recall of results drawn at random
 */

/**
 * @typedef {object} ResultReply A place that looks like the photo
 * @property {number} rank 1 for the best
 * @property {number} place_id
 * @property {string} name What it is called; by default its photo's path in the folder
 * @property {number} similarity Cosine of the two descriptors, at most 1
 * @property {number} probability That it shows the photo's place
 * @property {VerifiedReply | null} verified null where no verification was done
 * @property {PositionReply | null} position
 * @property {UtmReply | null} utm
 * @property {SpotReply | null} [group] null where no other photo is known to show the same spot
 * @property {number | null} [heading] Where the place's photo looks, degrees from north
 * @property {ViewReply | null} [query_view] The view of the panorama sent that shows it; null for others
 * @property {string} image_url
 * @property {string} thumbnail_url
 */

/**
 * @typedef {object} SearchReply The places that look most like the photo, best first
 * @property {string} index_id
 * @property {string} model The model's id
 * @property {QueryReply} query
 * @property {TimingsReply} timings_ms
 * @property {MatchReply} match
 * @property {ResultReply[]} results
 * @property {LocationReply | null} location
 */

/**
 * @typedef {object} ServedIndexReply An index of the server
 * @property {string} name All of /v1 is below /v1/indexes/NAME too
 * @property {'loading' | 'ready' | 'removed' | 'outdated'} status loading, ready, removed (its folder has gone; it answers from what it has open) or outdated (a newer version cannot be opened)
 * @property {string | null} index_id
 * @property {number | null} places
 * @property {string | null} model
 * @property {'allowed' | 'needs_key' | 'never'} [changes] Whether you may change it: allowed, needs_key of the role write, or never: the server was started without --writable, or the index was removed beside it
 */

/**
 * @typedef {object} SimilarReply The places that look most like a place of the index, best first; none is verified
 * @property {string} index_id
 * @property {string} model The model's id
 * @property {number} place_id The place that they look like
 * @property {string[]} notes Sentences about what was odd in the request
 * @property {(ReasonReply | null)[]} reasons The notes as codes, in their order; null where one has none
 * @property {ResultReply[]} results
 */

/**
 * @typedef {object} SizeReply The size of a photo in pixels
 * @property {number} width
 * @property {number} height
 */

/**
 * @typedef {object} SkippedPhotoReply A photo that could not be indexed
 * @property {string} name
 * @property {string} reason
 * @property {ReasonReply | null} code The reason as a code; null where it has none
 */

/**
 * @typedef {object} SkippedReply The photos that could not be indexed
 * @property {number} count
 * @property {SkippedPhotoReply[]} photos The first hundred
 */

/**
 * @typedef {object} SpotReply The group of photos that show the same spot
 * @property {number} id
 * @property {string | null} name The name that people gave the group
 * @property {number} photos The number of its photos in the index
 */

/**
 * @typedef {object} TimingsReply The duration of each stage in milliseconds
 * @property {number} queue Waiting for a worker
 * @property {number} decode Photo bytes to upright pixels
 * @property {number} embed Pixels to descriptor and local features
 * @property {number} search Descriptor to the most similar places
 * @property {number} verify Spatial verification of the candidates
 * @property {number} total All of it
 */

/**
 * @typedef {object} TrackPathReply A track with its last frames
 * @property {string} track_id Whoever knows it may add frames, and read the path
 * @property {string} index_id
 * @property {string} model
 * @property {number} frames The number of frames so far
 * @property {LocatedFrameReply[]} path At most a thousand
 */

/**
 * @typedef {object} TrackReply A track that is open to frames
 * @property {string} track_id Whoever knows it may add frames, and read the path
 * @property {string} index_id
 * @property {string} model
 * @property {number} frames The number of frames so far
 */

/**
 * @typedef {object} TrackedFrameReply A track with the frame that was just added
 * @property {string} track_id Whoever knows it may add frames, and read the path
 * @property {string} index_id
 * @property {string} model
 * @property {number} frames The number of frames so far
 * @property {LocatedFrameReply} frame
 */

/**
 * @typedef {object} UtmReply A point in the Universal Transverse Mercator grid
 * @property {number} easting Metres
 * @property {number} northing Metres
 * @property {string} zone Zone and latitude band, such as 33U; empty where unknown
 */

/**
 * @typedef {object} VerifiedReply The geometric agreement of the photo with a place
 * @property {number} inliers Matching points, which agree on one arrangement; 0 for none
 * @property {number} score What the places are ranked by: agreement × similarity
 */

/**
 * @typedef {object} ViewReply The direction of a view of a 360° panorama
 * @property {number} yaw Degrees clockwise from the panorama's middle
 * @property {number | null} heading Degrees from north; null where the panorama does not say how it was held
 */

/**
 * @typedef {object} DotPropertiesReply The place at a dot, and the number of places that the dot stands for
 * @property {number} place_id
 * @property {string} name
 * @property {number} count Places that the dot stands for, itself included
 */

/**
 * @typedef {object} DotReply A place on the map
 * @property {'Feature'} type
 * @property {PointReply} geometry
 * @property {DotPropertiesReply} properties
 */

/**
 * @typedef {object} PointReply A point, as GeoJSON writes it
 * @property {'Point'} type
 * @property {[number, number]} coordinates Longitude, latitude in degrees
 */

/**
 * @typedef {object} DotsReply The places of a box of the map, as a GeoJSON FeatureCollection
 * @property {'FeatureCollection'} type
 * @property {number} places The number of places in the box
 * @property {DotReply[]} features
 */

/**
 * @typedef {object} GroupPatch A change of a group; fields that are left out stay
 * @property {string | null} [name] At most 200 letters; null for none
 * @property {number[]} [add] Places whose groups become part of this one
 * @property {number[]} [remove] Places that become another group together
 */

/**
 * @typedef {object} PositionPatch The corrected position of a place
 * @property {number} latitude Degrees north
 * @property {number} longitude Degrees east
 */

/**
 * @typedef {object} PlacePatch A change of a place: fields that are left out stay, null removes a value (RFC 7396)
 * @property {string | null} [name] At most 200 letters
 * @property {string | null} [note] At most 4000 letters
 * @property {string[] | null} [tags] All of them; at most 64
 * @property {Record<string, string | number | boolean | null> | null} [fields] By name, merged with those that the place has
 * @property {PositionPatch | null} [position] null for that of the photo
 */

/**
 * @typedef {object} PlaceReply A place: a database photo with its position
 * @property {number} place_id
 * @property {string} name What it is called; by default its photo's path in the folder
 * @property {PositionReply | null} position
 * @property {UtmReply | null} utm
 * @property {string} image_url The photo as a JPEG of at most 1600 pixels a side
 * @property {string} thumbnail_url A small JPEG, which may be cached for good
 */

/**
 * @typedef {object} ParameterProblem One parameter that is wrong
 * @property {string} name
 * @property {string} reason
 */

/**
 * @typedef {object} ProblemReply An error, as RFC 9457 describes it
 * @property {string} type Stable; a relative reference such as /problems/busy
 * @property {string} title
 * @property {number} status
 * @property {string} detail One sentence: what is wrong and what to do
 * @property {ReasonReply | null} [reason] What detail says, as a code; not there where it has none
 * @property {ParameterProblem[] | null} [errors] The parameters that are wrong, where any are
 */

export {};
