PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE studies (          -- what is fixed when a study begins
    study         INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    identity      TEXT NOT NULL, -- what makes it the same study, one 'section.key = value' per line
    configuration TEXT NOT NULL, -- in force: overrides applied; [run] and trials may change
    version       TEXT NOT NULL, -- of nasrun
    device        TEXT NOT NULL,
    data_name     TEXT NOT NULL,
    data_digest   TEXT NOT NULL,
    seed          INTEGER NOT NULL,
    created       REAL NOT NULL
) STRICT;
INSERT INTO studies VALUES(1,'tiny',replace('data.dataset = tiny\ndata.epoch_images = all\ndata.folder = \ndata.fraction = 1\ndata.validation = 0.2\nnetwork.001 = conv activation=relu channels=$channels if=$convolution kernel=5 padding=same stride=2\nnetwork.002 = maxpool if=$convolution size=2\nnetwork.003 = dense activation=relu units=$hidden\nnetwork.004 = dense units=classes\nobjectives.1 = val_accuracy maximize threshold=0.5\nobjectives.2 = parameters minimize threshold=60000\nsearch.initial = 4\nsearch.method = bo\nspace.channels = int 4..12 if convolution\nspace.convolution = bool\nspace.epochs = int 1..2\nspace.hidden = int 8..64 log\nspace.learning_rate = real 0.001..0.02 log\nstudy.name = tiny\nstudy.seed = 1\ntraining.batch_size = 32\ntraining.beta1 = 0.9\ntraining.beta2 = 0.999\ntraining.clip_norm = none\ntraining.epochs = $epochs\ntraining.epsilon = 1e-08\ntraining.erase = 0\ntraining.final_rate = 0\ntraining.flip = 0\ntraining.initialisation = xavier\ntraining.label_smoothing = 0\ntraining.learning_rate = $learning_rate\ntraining.momentum = 0.9\ntraining.nesterov = no\ntraining.optimizer = adam\ntraining.precision = float32\ntraining.report = last\ntraining.schedule = constant\ntraining.shift = 0\ntraining.step_epochs = 10\ntraining.step_factor = 0.1\ntraining.warmup_epochs = 0\ntraining.weight_decay = 0\n','\n',char(10)),replace('; The effective configuration of this study, from configs/tiny.ini\n\n[study]\nname = tiny\ntrials = 6\nseed = 1\n\n[data]\ndataset = tiny\nvalidation = 0.2\n\n[space]\nconvolution = bool\nchannels = int 4..12 if convolution\nhidden = int 8..64 log\nlearning_rate = real 1e-3..2e-2 log\nepochs = int 1..2\n\n[network]\nlayer = conv channels=$channels kernel=5 stride=2 padding=same activation=relu if=$convolution\nlayer = maxpool size=2 if=$convolution\nlayer = dense units=$hidden activation=relu\nlayer = dense units=classes\n\n[training]\noptimizer = adam\nlearning_rate = $learning_rate\nbatch_size = 32\nepochs = $epochs\n\n[objectives]\nval_accuracy = maximize threshold=0.5\nparameters = minimize threshold=60000\n\n[search]\nmethod = bo\ninitial = 4\n\n[run]\nworkers = 1\n','\n',char(10)),'0.1.0','cpu avx512, oneDNN 2.6.3','tiny','85a07a4f853646ba072255f61f24de92a8d71e8e5177c56844f9aa67a966e989',1,1795278639.1389999389);
CREATE TABLE study_state (      -- what changes about a study
    study         INTEGER PRIMARY KEY REFERENCES studies,
    changes       INTEGER NOT NULL, -- rises with every write
    end_reason    TEXT NOT NULL, -- of the last run; '' while one runs, or when it was killed
    end_time      REAL,
    elapsed       REAL NOT NULL  -- seconds of wall time, all runs
) STRICT;
INSERT INTO study_state VALUES(1,32,'trials',1795278639.2829999923,0.15556914699845947325);
CREATE TABLE objectives (       -- names of the values below
    study         INTEGER NOT NULL REFERENCES studies,
    objective     INTEGER NOT NULL, -- 0, 1, ... in the order of the configuration
    name          TEXT NOT NULL,
    PRIMARY KEY (study, objective)
) STRICT, WITHOUT ROWID;
INSERT INTO objectives VALUES(1,0,'val_accuracy');
INSERT INTO objectives VALUES(1,1,'parameters');
CREATE TABLE trials (           -- one candidate network with its recipe, and what became of it
    study         INTEGER NOT NULL REFERENCES studies,
    trial         INTEGER NOT NULL, -- 1, 2, ...
    state         TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'stopped', 'failed')),
    cause         TEXT NOT NULL, -- why it stopped or failed, else ''
    point         TEXT NOT NULL, -- 'hidden1=64 learning_rate=0.003'
    identity      TEXT NOT NULL, -- of network and recipe: equal for duplicates
    network       TEXT NOT NULL, -- in one line
    method        TEXT NOT NULL, -- that suggested it
    fit           TEXT NOT NULL, -- the model's hyper-parameters then
    note          TEXT NOT NULL, -- why this point
    attempt       INTEGER NOT NULL, -- 1, 2, ...; a resume is no new attempt
    owner         TEXT NOT NULL, -- who runs it
    lease         REAL,          -- until when it is the owner's; NULL: as long as the owner lives
    seconds       REAL,          -- of training, known when it has ended
    suggested     REAL NOT NULL,
    started       REAL,          -- first
    ended         REAL,
    PRIMARY KEY (study, trial)
) STRICT;
INSERT INTO trials VALUES(1,1,'done','','convolution=yes channels=7 hidden=64 learning_rate=0.008906843133 epochs=2','a1d9cda023fbccc9bc4748c2e98b33ccb13bb272f295a808a51f1f17ac954c7e','conv7k5s2-relu-max2 64-relu-10','sobol','sobol=1','initial point 1 of 4',1,'process 8419, cpu avx512, oneDNN 2.6.3',NULL,0.040363043997786007821,1795278639.1470000743,1795278639.1480000018,1795278639.1909999847);
INSERT INTO trials VALUES(1,2,'done','','convolution=no hidden=8 learning_rate=0.002387193979 epochs=1','e3f629662e7dbdb81c70de810fcadc5d43c9001a48412bc7f0b3ceeec22b0644','784-8-relu-10','sobol','sobol=2','initial point 2 of 4',1,'process 8419, cpu avx512, oneDNN 2.6.3',NULL,0.0007203479981399141252,1795278639.1919999122,1795278639.1919999122,1795278639.1979999541);
INSERT INTO trials VALUES(1,3,'done','','convolution=no hidden=23 learning_rate=0.01643649971 epochs=1','4973fb336a6c09ca5855ff5f2a14a7c16937278350b386ae712648cc561b462f','784-23-relu-10','sobol','sobol=3','initial point 3 of 4',1,'process 8419, cpu avx512, oneDNN 2.6.3',NULL,0.0011319520017423201352,1795278639.2000000476,1795278639.2000000476,1795278639.2109999656);
INSERT INTO trials VALUES(1,4,'done','','convolution=yes channels=10 hidden=16 learning_rate=0.001439795702 epochs=2','0fcfe4f167fbb8fa9f8958cb31b3e055ec97ae7745b3333b9ae357a10f07aba5','conv10k5s2-relu-max2 16-relu-10','sobol','sobol=4','initial point 4 of 4',1,'process 8419, cpu avx512, oneDNN 2.6.3',NULL,0.014201133999449666589,1795278639.2109999656,1795278639.2119998932,1795278639.2279999256);
INSERT INTO trials VALUES(1,5,'done','','convolution=yes channels=4 hidden=39 learning_rate=0.01022424455 epochs=2','f642019b91e68a12c0486a44bd3d2c35693ddce87e67064291301f10cf29ab3f','conv4k5s2-relu-max2 39-relu-10','bo','results=4 full=4 model0=-0.6291512730068534,-0.8163314738760258,-0.8921382914748809,-1.217438020021907,-0.8462808206439992,-0.7854621945085903,-1.0170321947720715,-4.997204628366906,0.039268372932205864','best of 1487 candidates, log EHVI 0.131, refitted',1,'process 8419, cpu avx512, oneDNN 2.6.3',NULL,0.011899963003088487312,1795278639.234999895,1795278639.2430000305,1795278639.2599999905);
INSERT INTO trials VALUES(1,6,'done','','convolution=yes channels=4 hidden=8 learning_rate=0.01446568303 epochs=2','d356cbd82fd09693cbe63626171f3be69646a065c0a32220185ef31a38209624','conv4k5s2-relu-max2 8-relu-10','bo','','best of 1379 candidates, log EHVI -0.887',1,'process 8419, cpu avx512, oneDNN 2.6.3',NULL,0.0033629730023676529526,1795278639.2650001049,1795278639.2660000324,1795278639.2709999084);
CREATE TABLE epochs (           -- metrics; an epoch that is trained again replaces itself
    study         INTEGER NOT NULL,
    trial         INTEGER NOT NULL,
    epoch         INTEGER NOT NULL, -- 1, 2, ...
    attempt       INTEGER NOT NULL,
    train_loss    REAL,
    validation_loss     REAL,
    validation_accuracy REAL,
    learning_rate REAL,          -- at its end
    seconds       REAL,
    PRIMARY KEY (study, trial, epoch),
    FOREIGN KEY (study, trial) REFERENCES trials
) STRICT, WITHOUT ROWID;
INSERT INTO epochs VALUES(1,1,1,1,1.4126565894053595418,0.65803486551899770251,0.76000000000000000888,0.0089068431329999992601,0.037054804997751489281);
INSERT INTO epochs VALUES(1,1,2,1,0.44264802780843126583,0.39112581393333256674,0.9000000000000000222,0.0089068431329999992601,0.0033082390000345185399);
INSERT INTO epochs VALUES(1,2,1,1,2.2059527628819175504,2.0100288445152965088,0.28499999999999997557,0.0023871939790000001185,0.0007203479981399141252);
INSERT INTO epochs VALUES(1,3,1,1,1.991061808010904599,1.4164865341280343802,0.51500000000000001332,0.016436499710000000012,0.0011319520017423201352);
INSERT INTO epochs VALUES(1,4,1,1,2.1983983748296664906,1.9751070906408834115,0.26500000000000001332,0.0014397957020000000209,0.0076376180004444904625);
INSERT INTO epochs VALUES(1,4,2,1,1.6923868486839666047,1.4193433662672985118,0.47999999999999998223,0.0014397957020000000209,0.0065635159990051761269);
INSERT INTO epochs VALUES(1,5,1,1,1.7216393303494472721,0.83305678690779016992,0.71499999999999996891,0.010224244550000000791,0.0020016580019728280603);
INSERT INTO epochs VALUES(1,5,2,1,0.48841868844469621402,0.41506650951557710893,0.86499999999999999111,0.010224244550000000791,0.0098983050011156592518);
INSERT INTO epochs VALUES(1,6,1,1,2.0638699089403695907,1.7622951374971669302,0.39000000000000001332,0.014465683030000000761,0.0017062740007531829178);
INSERT INTO epochs VALUES(1,6,2,1,1.4663811575243774765,1.3377991052097479851,0.46500000000000002442,0.014465683030000000761,0.0016566990016144700348);
CREATE TABLE events (           -- append-only: all that the optimiser decided from, in order
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    study         INTEGER NOT NULL,
    trial         INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('suggest', 'finish')),
    time          REAL NOT NULL,
    UNIQUE (study, trial, kind), -- nothing is recorded twice
    FOREIGN KEY (study, trial) REFERENCES trials
) STRICT;
INSERT INTO events VALUES(1,1,1,'suggest',1795278639.1480000018);
INSERT INTO events VALUES(2,1,1,'finish',1795278639.1909999847);
INSERT INTO events VALUES(3,1,2,'suggest',1795278639.1919999122);
INSERT INTO events VALUES(4,1,2,'finish',1795278639.1979999541);
INSERT INTO events VALUES(5,1,3,'suggest',1795278639.2000000476);
INSERT INTO events VALUES(6,1,3,'finish',1795278639.2109999656);
INSERT INTO events VALUES(7,1,4,'suggest',1795278639.2109999656);
INSERT INTO events VALUES(8,1,4,'finish',1795278639.2279999256);
INSERT INTO events VALUES(9,1,5,'suggest',1795278639.234999895);
INSERT INTO events VALUES(10,1,5,'finish',1795278639.2599999905);
INSERT INTO events VALUES(11,1,6,'suggest',1795278639.2650001049);
INSERT INTO events VALUES(12,1,6,'finish',1795278639.2709999084);
CREATE TABLE objective_values ( -- append-only: what became known with an event
    event         INTEGER NOT NULL REFERENCES events,
    objective     INTEGER NOT NULL,
    value         REAL NOT NULL,
    PRIMARY KEY (event, objective)
) STRICT, WITHOUT ROWID;
INSERT INTO objective_values VALUES(1,1,22848.0);
INSERT INTO objective_values VALUES(2,0,0.9000000000000000222);
INSERT INTO objective_values VALUES(2,1,22848.0);
INSERT INTO objective_values VALUES(3,1,6370.0);
INSERT INTO objective_values VALUES(4,0,0.28499999999999997557);
INSERT INTO objective_values VALUES(4,1,6370.0);
INSERT INTO objective_values VALUES(5,1,18295.0);
INSERT INTO objective_values VALUES(6,0,0.51500000000000001332);
INSERT INTO objective_values VALUES(6,1,18295.0);
INSERT INTO objective_values VALUES(7,1,8286.0);
INSERT INTO objective_values VALUES(8,0,0.47999999999999998223);
INSERT INTO objective_values VALUES(8,1,8286.0);
INSERT INTO objective_values VALUES(9,1,8187.0);
INSERT INTO objective_values VALUES(10,0,0.86499999999999999111);
INSERT INTO objective_values VALUES(10,1,8187.0);
INSERT INTO objective_values VALUES(11,1,1770.0);
INSERT INTO objective_values VALUES(12,0,0.46500000000000002442);
INSERT INTO objective_values VALUES(12,1,1770.0);
CREATE TABLE tests (            -- kept weights on the test set (nasrun test)
    study         INTEGER NOT NULL,
    trial         INTEGER NOT NULL,
    accuracy      REAL,
    loss          REAL,
    time          REAL NOT NULL,
    PRIMARY KEY (study, trial),
    FOREIGN KEY (study, trial) REFERENCES trials
) STRICT, WITHOUT ROWID;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('events',12);
CREATE INDEX trials_by_state ON trials (study, state);
CREATE VIEW results AS          -- for people: one row per trial and objective, the newest value
    SELECT t.study, t.trial, t.state, t.cause, o.name AS objective,
           (SELECT v.value FROM events e JOIN objective_values v ON v.event = e.number
            WHERE e.study = t.study AND e.trial = t.trial AND v.objective = o.objective
            ORDER BY e.number DESC LIMIT 1) AS value, t.network
    FROM trials t JOIN objectives o ON o.study = t.study
;
CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER values_stay BEFORE UPDATE ON objective_values
BEGIN SELECT RAISE(ABORT, 'values are append-only'); END;
CREATE TRIGGER values_are_kept BEFORE DELETE ON objective_values
BEGIN SELECT RAISE(ABORT, 'values are append-only'); END;
CREATE TRIGGER trials_end_once BEFORE UPDATE ON trials
WHEN OLD.state IN ('done', 'stopped', 'failed')
BEGIN SELECT RAISE(ABORT, 'the trial has ended'); END;
CREATE TRIGGER trials_are_kept BEFORE DELETE ON trials
BEGIN SELECT RAISE(ABORT, 'trials are never deleted'); END;
COMMIT;
PRAGMA application_id = 1851880306;
PRAGMA user_version = 1;
