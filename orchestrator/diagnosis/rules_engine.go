package diagnosis

// What keeps anything from running: the engine, its resources, the image. The
// engine's words are those of Docker 20.10 to 28; see also PEERS of each thread.
var engineRules = []rule{
	{
		code: "engine-unreachable", whole: ofKind(KindEngineUnreachable),
		problem: "the container engine does not answer",
		try: []try{
			{"start it", "sudo systemctl start docker", always},
			{"see which engine is used", "docker context ls", always},
			{"see what this machine lacks", "beamyard doctor", always},
		},
	},
	{
		code: "engine-permission", whole: ofKind(KindEnginePermission),
		problem: "this user may not use the container engine's socket",
		try: []try{
			{"join its group, then log in again", `sudo usermod -aG docker "$USER"`, always},
			{"see what this machine lacks", "beamyard doctor", always},
		},
	},
	{
		code: "engine-too-old", whole: ofKind(KindEngineTooOld),
		problem: "the container engine is older than Docker 20.10, and its API too old",
		try: []try{
			{"see both versions; DOCKER_API_VERSION must not be set", "docker version", always},
			{"see what this machine lacks", "beamyard doctor", always},
		},
	},
	{
		code: "no-registry", whole: ofKind(KindNoRegistry),
		problem: "the engine does not have the image, and reaches no registry to pull it from",
		try: []try{
			{"a Mix project needs none where Debian packages can be had", "sudo apt-get install -y mmdebstrap debian-archive-keyring", always},
			{"see what the engine has", "docker images", always},
			{"see what this machine reaches", "beamyard doctor", always},
		},
	},
	{
		code: "image-missing", whole: ofKind(KindNoImage),
		problem: "the engine does not have the image, and its registry does not know it",
		try: []try{
			{"see what the engine has", "docker images", always},
			{"log in, if the registry is private", "docker login", always},
		},
	},
	{
		// moby: "port is already allocated" by a container, "bind: address already
		// in use" by a process.
		code: "port-taken", whole: ofKind(KindPortTaken),
		problem: "a host port that was asked for is taken",
		try: []try{
			{"see who listens", "ss -ltnp", always},
			{"see which containers publish what", "docker ps --format '{{.Names}} {{.Ports}}'", always},
		},
	},
	{
		code: "port-taken", when: startKind(KindPortTaken),
		problem: "the host port of {node} is taken",
		try: []try{
			{"see who listens", "ss -ltnp", always},
			{"see which containers publish what", "docker ps --format '{{.Names}} {{.Ports}}'", always},
		},
	},
	{
		// elastic/integrations#16941, inventory-hunter#185: leaked networks.
		code: "address-pool-exhausted", whole: ofKind(KindAddressPool),
		problem: "there is no address range left for the cluster's network",
		try: []try{
			{"remove clusters whose process has died", "beamyard prune", always},
			{"remove networks that no container uses", "docker network prune", always},
			{"see which networks use them", "docker network ls", always},
		},
	},
	{
		code: "subnet-overlap", whole: ofKind(KindSubnetOverlap),
		problem: "the address range for the cluster's network is used by another network",
		try: []try{
			{"see the ranges of this machine, a VPN's too", "ip route", always},
			{"see the engine's networks", "docker network ls", always},
			{"give another range in beamyard.yml", "", always},
		},
	},
	{
		code: "name-taken", when: func(e *Evidence, n *Node) (match, bool) {
			m, ok := startKind(KindNameTaken)(e, n)
			m.hint = "" // it names no container
			return m, ok
		},
		problem: "the container of {node} cannot be created: another one has the name {container}",
		try: []try{
			{"see the container", "docker ps -a --filter name={container}", always},
			{"remove it, if it is not needed", "docker rm -f {container}", always},
		},
	},
	{
		code: "name-taken", whole: ofKind(KindNameTaken),
		problem: "another network or container has the name that the cluster needs",
		try: []try{
			{"see the networks", "docker network ls", always},
			{"choose another name", "beamyard up {what} --name {cluster}-2", always},
		},
	},
	{
		// electric#1367, docker-library/rabbitmq#545: why the limit is set at all.
		code: "nofile-refused", when: startKind(KindUlimit),
		problem: "{node} cannot start: the engine may not set the limit of open files that was asked for",
		try: []try{
			{"see what the engine allows", "beamyard doctor", always},
			{"start the engine with a higher limit: LimitNOFILE in its unit", "sudo systemctl edit docker", always},
		},
	},
	{
		code: "nofile-refused", whole: ofKind(KindUlimit),
		problem: "the engine may not set the limit of open files that was asked for",
		try:     []try{{"see what the engine allows", "beamyard doctor", always}},
	},
	{
		code: "disk-full", says: pattern(`(?i)no space left on device|:enospc\b|\benospc\b`),
		problem: "{node} has no space left to write to",
		try: []try{
			{"see what the engine's images, containers and volumes take", "docker system df", always},
			{"see the file systems of this machine", "df -h", always},
			{"remove images that nothing uses", "docker image prune", always},
		},
	},
	{
		code: "disk-full", whole: errorSays(pattern(`(?i)no space left`)),
		problem: "there is no space left on the engine's or this machine's disk",
		try: []try{
			{"see what images, containers and volumes take", "docker system df", always},
			{"remove images that nothing uses", "docker image prune", always},
		},
	},
}
