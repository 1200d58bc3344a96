/**
 * What PostgreSQL stores for a password, made by PostgreSQL itself: PQencryptPasswordConn of libpq 18.4, with
 * algorithm 'scram-sha-256'. The passwords are those on which implementations of SASLprep part company.
 *
 * The format is SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, manual: #CATALOG-PG-AUTHID.
 */
export const VERIFIERS_OF_LIBPQ: readonly Readonly<Record<'about' | 'password' | 'verifier', string>>[] = [
  {
    about: 'letters and digits',
    password: 'correct horse 1',
    verifier:
      'SCRAM-SHA-256$4096:WhqZ9hOMgyWxXi36DZfrXg==$EoimLN5uet3cyV8oLCCLIEbj+noyYG5RL+Q+2M8Ork8=:HIwORxcf9C4pvrK4EiBLIWR7DxnHKHbMGSSdI+MOSRo=',
  },
  {
    about: 'ASCII control characters, kept',
    password: 'foo\x07bar\x7f',
    verifier:
      'SCRAM-SHA-256$4096:XK5L7cc98qfgefYfuU9BJw==$LsOpJ5k1k0Z8vYHDcrnZX3RbjsqbJyEDAdTb094VCf8=:6pTYrGmr63DR7wN2EW92IjdizINbKGOpynUIdmfxQhQ=',
  },
  {
    about: 'a soft hyphen, mapped to nothing',
    password: 'I\u00adX',
    verifier:
      'SCRAM-SHA-256$4096:SjC6LEyEFd3yoUHqcOGa4g==$JZ9ohC7Am7LZeepvhgf+gtUh23Z/d931EmRM65g1k4E=:Pznuc/sARRPB0k/HVsFltgrMRlNJCTjxAk48DKW/y6g=',
  },
  {
    about: 'a Roman numeral, altered by NFKC',
    password: '\u2168',
    verifier:
      'SCRAM-SHA-256$4096:ULRoA4saaaqLpHCFKC9V7Q==$nh65Pm93Yb4yTFuLtMVe2E7QbGbCunE9D4iVAEAsbfA=:lUoEFxj1lBvWxdbb8DhYW0npUPFwvq1H3r1tMKdM9dQ=',
  },
  {
    about: 'a feminine ordinal, altered by NFKC',
    password: '\u00aa',
    verifier:
      'SCRAM-SHA-256$4096:5aEbLYF90Lazmf1Skrq+Ew==$h4kVSXnks5wOlukk2+owikGzHOVNAQhUdzA0dH2/ETM=:otjQI0bqVNhfliKBLdwzPt/foOUhEC9AsxIKVIBRmPg=',
  },
  {
    about: 'an e with a combining accent, composed',
    password: 'e\u0301',
    verifier:
      'SCRAM-SHA-256$4096:EAR2j14JfHKS+ujeJDgseQ==$8TsOJ/pifTV79EtqQRhL+W2gXwnHEeS7N2cgsRrdF6A=:eUJ8r2W1GmaPWGQuoskM8LYWyMH3PEBMAIjCGQCs+HU=',
  },
  {
    about: 'no-break and ideographic spaces, mapped to a space',
    password: 'a\u00a0b\u3000c',
    verifier:
      'SCRAM-SHA-256$4096:Ez/4oUdX5yIoDT60FYebGA==$INO1gk04ncoSBl8RrcSgCuGhiK0XKJydu7qmPTUqkU8=:Cks3m6+90gKKKOGHzTQDfcKCB+p78VHnLbYty+21ZPs=',
  },
  {
    about: 'a zero-width space, a space before it is nothing',
    password: 'a\u200bb\u00aa',
    verifier:
      'SCRAM-SHA-256$4096:95XzJfrXEkYNte7owCSU9g==$W9L8f0ePqeDNoENRSv1fM+VyhqkBiUP6VulN/a80C9Y=:acjND/X+j8tMIsevBnb0xQdZCSzMT8V9PutcERBRY+4=',
  },
  {
    about: 'only a soft hyphen, of which nothing is left: raw',
    password: '\u00ad',
    verifier:
      'SCRAM-SHA-256$4096:j99pO334kYyOFdE2MBnhRA==$ZcW4lA/XzKZSxDDrbseZC9sF9qbsWVJhiWABmP9dflM=:1K572okqwI/aQ2BSahzs7XymwBRLULuN5pko/SO6y5U=',
  },
  {
    about: 'a control character beside a letter that NFKC alters: raw',
    password: '\u00aa\x07',
    verifier:
      'SCRAM-SHA-256$4096:wIlseUioGJZYhetfNXtOIw==$+3T25wRA2i7w5jzfPUeakQhMpibDqvlqLHEbAGYSZn8=:gSLtQO1UQ3JPW2npVaJ5pHhzWMKQ8SvQnm4ws63UpSs=',
  },
  {
    about: 'a private use character: raw',
    password: '\u00aa\ue000',
    verifier:
      'SCRAM-SHA-256$4096:kQzda6q/tSttod+SGEOphg==$jMGv5tXDBWVdpKnK9qwLXssy6vSNbPPYAJ+T4ymgEhk=:3HD3Q2JRKfr54jUFD3JHr/9MFSp73n82h1aIirgtJUw=',
  },
  {
    about: 'an emoji, unassigned in Unicode 3.2: raw',
    password: '\u00aa\u{1f600}',
    verifier:
      'SCRAM-SHA-256$4096:IjKu16RQ05Z3zNwY0uRnxw==$r+mEWBFVLFR8FDSIpPDUnFd6eCu7UVutpj0OMIjr5i0=:5U3+dukO7FfIb895UipySp0zXoA6NJEmxTElUZH1h6c=',
  },
  {
    about: 'digits after Arabic: raw',
    password: 'foo\u06271bar',
    verifier:
      'SCRAM-SHA-256$4096:NNicc1eEa9pwm84HJN2vCg==$VJLvsm1y85+LFgraZ6nTJ8Fp3lkICDQ5kvSOwxaK/gc=:VqvcoPUwQKIacF1rFm4xenJWBQrUKQfHirQm0ei0Ttk=',
  },
  {
    about: 'Arabic between Arabic and NFKC digits',
    password: '\u0627\u00b2\u0627',
    verifier:
      'SCRAM-SHA-256$4096:qB2e9UsMcPdiaFKzCkWdvQ==$fUmcwdqRZWPW6Pec6fZrIRktYya1ziwf3GVjmenWW8Y=:Nn/gX9g8gl5oeDG1Du86Aqif8OtY0XqsJteQSrZ6IBA=',
  },
  {
    about: 'a young character that NFKC would turn into A: raw',
    password: '\u{1f130}',
    verifier:
      'SCRAM-SHA-256$4096:T8WzAHRnczep+tj2ZUA+jQ==$o4USafBt47bUAmbsKnCgF9w9oEtEmtnsU4T3nJK7h8k=:mhlKX0jW/lr24mDJM0/4seDFS0lLuz7f7ym8kE3j3r0=',
  },
  {
    about: 'a deprecated tone mark that NFKC would turn into a lawful one: raw',
    password: 'a\u0340',
    verifier:
      'SCRAM-SHA-256$4096:i0YbD0Cyme5M9TYpVCGgxw==$Cy9Q2bgZTVNfOds4Hb6INLlo3aMIzvVrRozvMrYINwY=:2DbbLfbcqFKwvE8VOS5s5ZdWIIzBF6QRu7Ld9YXYlQM=',
  },
  {
    about: 'Hebrew around a trade mark sign, judged before it is TM',
    password: '\u05d0\u2122\u05d0',
    verifier:
      'SCRAM-SHA-256$4096:6foerNPLLYls/5BNPEeoew==$bMw7H+U21mphzluqAwuI7/G9YgGWowvXu2e2XdIsDC0=:E3e1/KDoC3dY1fQ/n037tWQYZPl4kqDJNlh5xJUYWmo=',
  },
  {
    about: 'a Hebrew letter that NFKC splits into a letter and a point',
    password: '\ufb1d',
    verifier:
      'SCRAM-SHA-256$4096:S0voe6TMWYpsSJ4oS59vwA==$K3Hpd8e21sXIjcX4o0khpoWklaNbtu5My4JGEdFSiUI=:8uI2e8TNeAwy6E+Qy9194QWMihKlTYaaA1UyMFn92hw=',
  },
  {
    about: 'an Arabic presentation form that NFKC turns into a space and a mark',
    password: '\ufe70',
    verifier:
      'SCRAM-SHA-256$4096:pA1tfsIJKfgom+UtcE5wxQ==$eXYte761Z0Ht9UDyNCYEDdDGMUSAHyyaBwo+CsMNloc=:ASiAEZbDE3LTAxNbAkAQkv9leCv3aIahEf+bQj7DGTo=',
  },
  {
    about: 'Arabic that ends in a mark with which NFKC would compose it: raw',
    password: '\u0627\u0653',
    verifier:
      'SCRAM-SHA-256$4096:g+3C++TfLaH5Xkb99KUffQ==$RIptoSeVhBP1P51ye4thLCxw1PswRfgG8ILLLiKMOpI=:pB/5lv9QpHEeZlFm8LThbPIxdBAs2oHa0iA2RSHguQs=',
  },
  {
    about: 'a Latin ligature in Hebrew: raw',
    password: '\u05d0\ufb01\u05d0',
    verifier:
      'SCRAM-SHA-256$4096:PlRDO2VT/RUDuby8JMI36g==$ej5H5cPA8HHSUiA2Wg247HaCqqzuqNTPnFQucgLCv74=:E93CXaY764HAvydWXOYzkVHYh6c2VefwYxxwlNqYA98=',
  },
]
