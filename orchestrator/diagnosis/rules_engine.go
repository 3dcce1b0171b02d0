package diagnosis

import "github.com/beamyard/beamyard/orchestrator/hint"

// What keeps anything from running: the engine, its resources, the image. The
// engine's words are those of Docker 20.10 to 28; see also PEERS of each thread.
var engineRules = []rule{
	{
		code: "engine-unreachable", whole: ofKind(KindEngineUnreachable),
		problem: "the container engine does not answer",
		try: []try{
			{text("start it"), shell("sudo systemctl start docker"), always},
			{text("see which engine is used"), shell("docker context ls"), always},
			{text("see what this machine lacks"), doctor, always},
		},
	},
	{
		code: "engine-permission", whole: ofKind(KindEnginePermission),
		problem: "this user may not use the container engine's socket",
		try: []try{
			{text("join its group, then log in again"), shell(`sudo usermod -aG docker "$USER"`), always},
			{text("see what this machine lacks"), doctor, always},
		},
	},
	{
		code: "engine-too-old", whole: ofKind(KindEngineTooOld),
		problem: "the container engine is older than Docker 20.10, and its API too old",
		try: []try{
			{text("see both versions; DOCKER_API_VERSION must not be set"), shell("docker version"), always},
			{text("see what this machine lacks"), doctor, always},
		},
	},
	{
		code: "no-registry", whole: ofKind(KindNoRegistry),
		problem: "the engine does not have the image, and reaches no registry to pull it from",
		try: []try{
			{text("a Mix project needs none where Debian packages can be had"), shell("sudo apt-get install -y mmdebstrap debian-archive-keyring"), always},
			{text("see what the engine has"), shell("docker images"), always},
			{text("see what this machine reaches"), doctor, always},
		},
	},
	{
		code: "image-missing", whole: ofKind(KindNoImage),
		problem: "the engine does not have the image, and its registry does not know it",
		try: []try{
			{text("see what the engine has"), shell("docker images"), always},
			{text("log in, if the registry is private"), shell("docker login"), always},
		},
	},
	{
		// moby: "port is already allocated" by a container, "bind: address already
		// in use" by a process.
		code: "port-taken", whole: ofKind(KindPortTaken),
		problem: "a host port that was asked for is taken",
		try: []try{
			{text("see who listens"), shell("ss -ltnp"), always},
			{text("see which containers publish what"), shell("docker ps --format '{{.Names}} {{.Ports}}'"), always},
		},
	},
	{
		code: "port-taken", when: startKind(KindPortTaken),
		problem: "the host port of {node} is taken",
		try: []try{
			{text("see who listens"), shell("ss -ltnp"), always},
			{text("see which containers publish what"), shell("docker ps --format '{{.Names}} {{.Ports}}'"), always},
		},
	},
	{
		// elastic/integrations#16941, inventory-hunter#185: leaked networks.
		code: "address-pool-exhausted", whole: ofKind(KindAddressPool),
		problem: "there is no address range left for the cluster's network",
		try: []try{
			{text("remove clusters whose process has died"), hint.Of(hint.Prune.With()), always},
			{text("remove networks that no container uses"), shell("docker network prune"), always},
			{text("see which networks use them"), shell("docker network ls"), always},
		},
	},
	{
		code: "subnet-overlap", whole: ofKind(KindSubnetOverlap),
		problem: "the address range for the cluster's network is used by another network",
		try: []try{
			{text("see the ranges of this machine, a VPN's too"), shell("ip route"), always},
			{text("see the engine's networks"), shell("docker network ls"), always},
			{text("give another range: %s", hint.Setting("pool")), nil, always},
		},
	},
	{
		code: "name-taken", when: func(e *Evidence, n *Node) (match, bool) {
			m, ok := startKind(KindNameTaken)(e, n)
			m.hint = nil // it names no container
			return m, ok
		},
		problem: "the container of {node} cannot be created: another one has the name {container}",
		try: []try{
			{text("see the container"), shell("docker ps -a --filter name={container}"), always},
			{text("remove it, if it is not needed"), shell("docker rm -f {container}"), always},
		},
	},
	{
		code: "name-taken", whole: ofKind(KindNameTaken),
		problem: "another network or container has the name that the cluster needs",
		try: []try{
			{text("see the networks"), shell("docker network ls"), always},
			{text("choose another name"), hint.Of(hint.Up.With("{what}", "name: {cluster}-2")), always},
		},
	},
	{
		// electric#1367, docker-library/rabbitmq#545: why the limit is set at all.
		code: "nofile-refused", when: startKind(KindUlimit),
		problem: "{node} cannot start: the engine may not set the limit of open files that was asked for",
		try: []try{
			{text("see what the engine allows"), doctor, always},
			{text("start the engine with a higher limit: LimitNOFILE in its unit"), shell("sudo systemctl edit docker"), always},
		},
	},
	{
		code: "nofile-refused", whole: ofKind(KindUlimit),
		problem: "the engine may not set the limit of open files that was asked for",
		try:     []try{{text("see what the engine allows"), doctor, always}},
	},
	{
		code: "disk-full", says: pattern(`(?i)no space left on device|:enospc\b|\benospc\b`),
		problem: "{node} has no space left to write to",
		try: []try{
			{text("see what the engine's images, containers and volumes take"), shell("docker system df"), always},
			{text("see the file systems of this machine"), shell("df -h"), always},
			{text("remove images that nothing uses"), shell("docker image prune"), always},
		},
	},
	{
		code: "disk-full", whole: errorSays(pattern(`(?i)no space left`)),
		problem: "there is no space left on the engine's or this machine's disk",
		try: []try{
			{text("see what images, containers and volumes take"), shell("docker system df"), always},
			{text("remove images that nothing uses"), shell("docker image prune"), always},
		},
	},
}
