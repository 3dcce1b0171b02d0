package erldist

// Tags of the external term format (Erlang documentation, "External Term Format").
const (
	tagVersion       = 131
	tagLocal         = 121
	tagSmallInteger  = 97
	tagInteger       = 98
	tagFloat         = 99
	tagNewFloat      = 70
	tagPort          = 102
	tagNewPort       = 89
	tagV4Port        = 120
	tagPid           = 103
	tagNewPid        = 88
	tagSmallTuple    = 104
	tagLargeTuple    = 105
	tagMap           = 116
	tagNil           = 106
	tagString        = 107
	tagList          = 108
	tagBinary        = 109
	tagBitBinary     = 77
	tagSmallBig      = 110
	tagLargeBig      = 111
	tagReference     = 101
	tagNewReference  = 114
	tagNewerRef      = 90
	tagFun           = 117
	tagNewFun        = 112
	tagExport        = 113
	tagAtom          = 100
	tagSmallAtom     = 115
	tagAtomUTF8      = 118
	tagSmallAtomUTF8 = 119
	tagAtomCacheRef  = 82
	tagCompressed    = 80
)

const maxAtomChars = 255
