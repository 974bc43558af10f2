// Title and remedy of each problem, by the server's name of the problem, in Hindi in Latin letters.

/** @type {typeof import('./problems-en.js').problems} */
export const problems = {
  empty: {
    title: 'Yeh file khaali hai',
    mend: '{empty} mein kuch nahi hai. Photo phir se chunein.',
  },
  'broke-off': {
    title: 'Photo bhejna beech mein ruk gaya',
    mend: 'Server chal raha hai, par usne poori photo ({sent}) nahi li. Phir koshish karein; phir ruke, to photo ki chhoti copy bhejein.',
  },
  lost: {
    title: 'Server se connection toot gaya',
    mend: 'Dekhein ki server chal raha hai aur aap usi network par hain.',
  },
  'unknown-key': {
    title: 'Server is key ko nahi pehchanta',
    mend: 'Key jaanchkar phir likhein, ya server chalane wale se poochein.',
  },
  unauthorized: {
    title: 'Server key maangta hai',
    mend: 'Server chalane wale ne jo API key di hai, woh likhein. Woh sirf is tab mein rehti hai, aur tab ke saath bhula di jaati hai.',
  },
  forbidden: {
    title: 'Is key se yeh nahi ho sakta',
    mend: 'Server is key ko pehchanta hai, par yeh kisi aur kaam ki hai. Server chalane wale se alag key maangein.',
  },
  'cross-site': {
    title: 'Server kisi aur site se yeh nahi leta',
    mend: 'Server ke apne address par page kholein, aur wahin se karein.',
  },
  'bad-parameter': {
    title: 'Koi setting theek nahi hai',
    mend: 'Address ki koi setting galat ho sakti hai. Question mark ke baad ka hissa hatakar page kholein, aur phir koshish karein.',
  },
  'bad-request': {
    title: 'Server request nahi samajh paya',
    mend: 'Address ki koi setting galat ho sakti hai. Question mark ke baad ka hissa hatakar page kholein, aur phir koshish karein.',
  },
  'not-found': {
    title: 'Yeh ab yahan nahi hai',
    mend: 'Index badal gaya hai, ya jagah ki photo hata di gayi hai. Phir se khojein, ya server chalane wale se poochein.',
  },
  'unknown-place': {
    title: 'Aisi koi jagah nahi hai',
    mend: 'Index mein is number ki koi jagah nahi hai. Phir se khojein, ya saari jagahon mein dekhein.',
  },
  'unknown-index': {
    title: 'Yeh index yahan nahi hai',
    mend: 'Server ke paas is naam ka index nahi hai. Iske bina page kholein, ya server chalane wale se poochein.',
  },
  'unknown-report': {
    title: 'Yeh report yahan nahi hai',
    mend: 'Ho sakta hai woh hata di gayi ho. Saari report ki list dekhein.',
  },
  'unknown-track': {
    title: 'Yeh raasta band ho chuka hai',
    mend: 'Das minute tak koi raaste ke baare mein na pooche, ya bahut se raaste khule hon, to server use band kar deta hai. Phir se shuru karein.',
  },
  'photo-gone': {
    title: 'Asli photo ab nahi hai',
    mend: 'File wahan nahi hai jahan index banate samay thi. Uska chhota roop ab bhi dikhta hai.',
  },
  'method-not-allowed': {
    title: 'Server yeh nahi karta',
    mend: 'Ho sakta hai woh jagahein sirf dikhata ho. Server chalane wale se kahein ki use --writable ke saath chalayein.',
  },
  'slow-request': {
    title: 'Photo bahut dheere pahunchi',
    mend: 'Server ne poori photo ({sent}) ka intezaar kiya, par woh poori nahi aayi. Behtar network par phir koshish karein, ya chhoti copy bhejein.',
  },
  'cannot-change': {
    title: 'Index abhi badla nahi ja sakta',
    mend: 'Ho sakta hai use koi aur badal raha ho, ya yeh uski aakhri jagah ho. Ek minute mein phir koshish karein; na ho, to server chalane wale se poochein.',
  },
  'edit-conflict': {
    title: 'Kisi aur ne pehle badal diya',
    mend: 'Aapke kholne ke baad yeh jagah badal di gayi hai. Ise phir kholein, aur jo ab bhi chahiye woh badlein.',
  },
  'body-too-large': {
    title: 'Yeh photo server ke liye bahut badi hai',
    mend: 'Yeh {sent} ki hai. Chhoti copy bhejein: lambi side par 2,000 pixel kaafi hain.',
  },
  'oversized-photo': {
    title: 'Yeh photo server ke liye bahut badi hai',
    mend: 'Ismein bahut zyada pixel hain. Chhoti copy bhejein: lambi side par 2,000 pixel kaafi hain.',
  },
  'unsupported-photo': {
    title: 'Yeh file photo nahi hai',
    mend: 'Server {names} ka format nahi padh sakta. JPEG, PNG, WebP, AVIF ya HEIC file chunein.',
  },
  'wrong-host': {
    title: 'Server ka naam kuch aur hai',
    mend: 'Woh is address ke naam se jawab nahi deta. Server ke apne address par page kholein.',
  },
  'unreadable-photo': {
    title: 'Yeh photo padhi nahi ja saki',
    mend: '{names} kharab hai, ya uska ek hissa hi pahuncha. Use asli jagah se phir copy karein, aur wahi file chunein.',
  },
  'unfit-value': {
    title: 'Likhi hui value theek nahi hai',
    mend: 'Jaisa maanga gaya hai, waisa likhein, aur phir save karein.',
  },
  'key-reused': {
    title: 'Yeh pehle bheja ja chuka hai, par usmein kuch aur tha',
    mend: 'Page dobara kholein, aur phir se karein.',
  },
  busy: {
    title: 'Server busy hai',
    mend: 'Aapse pehle auron ki khoj chal rahi hai. Photo mein koi gadbad nahi hai.',
  },
  'rate-limited': {
    title: 'Ek vyakti jitna pooch sakta hai, yeh usse zyada hai',
    mend: 'Server har kisi se ek minute mein gini-chuni request leta hai. Thodi der baad kaam aage badhega.',
  },
  internal: {
    title: 'Server yeh nahi kar saka',
    mend: 'Kya gadbad hui, yeh usne likh liya hai. Phir koshish karein; na ho, to server chalane wale ko batayein.',
  },
  'no-vocabulary': {
    title: 'Yeh model aisa nahi kar sakta',
    mend: 'Is index ke model mein iske liye zaroori hissa nahi hai. Kisi aur model ka index kar sakta hai.',
  },
  'not-ready': {
    title: 'Server abhi taiyar nahi hai',
    mend: 'Woh apna model aur index khol raha hai. Taiyar hote hi kaam apne-aap shuru hoga.',
  },
  'storage-full': {
    title: 'Server ki disk bhar gayi hai',
    mend: 'Aapne jo bheja, woh rakha nahi gaya. Server chalane wale ko batayein, aur jagah hone par phir bhejein.',
  },
  'timed-out': {
    title: 'Server ko bahut samay lag gaya',
    mend: 'Uske paas abhi bahut kaam hai. Ek minute mein phir koshish karein.',
  },
  'engine-down': {
    title: 'Server ke peechhe ka search engine jawab nahi de raha',
    mend: 'Server usse baar-baar pooch raha hai. Jawab milte hi khoj apne-aap aage badhegi.',
  },
  'index-damaged': {
    title: 'Index kharab ho gaya hai',
    mend: 'Is khoj ke liye zaroori hissa padha nahi ja sakta. Server chalane wale ko batayein.',
  },
  unknown: {
    title: 'Server khoj nahi kar saka',
    mend: 'Usne status {status} ke saath jawab diya. Phir koshish karein; na ho, to server chalane wale ko batayein.',
  },
};
