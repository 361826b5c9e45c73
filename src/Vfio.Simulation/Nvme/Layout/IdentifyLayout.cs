namespace Vfio.Simulation.Nvme.Layout;

/// <summary>CNS values of Identify. Source: NVM Express Base Specification 1.4, figure 244.</summary>
internal enum Cns : byte
{
    Namespace = 0x00,
    Controller = 0x01,
    ActiveNamespaces = 0x02,
    NamespaceDescriptors = 0x03,
    CommandSetNamespace = 0x05,
    CommandSetController = 0x06,
    IndependentNamespace = 0x08,
    AllocatedNamespaces = 0x10,
    AllocatedNamespace = 0x11,
    AttachedControllers = 0x12,
    Controllers = 0x13,
    PrimaryCapabilities = 0x14,
    SecondaryControllers = 0x15,
}

/// <summary>Fields of Identify Controller. Source: NVM Express Base Specification 1.4, figure 247.</summary>
internal static class IdentifyController
{
    internal const int Vid = 0;
    internal const int Ssvid = 2;
    internal const int SerialNumber = 4, SerialNumberBytes = 20;
    internal const int ModelNumber = 24, ModelNumberBytes = 40;
    internal const int FirmwareRevision = 64, FirmwareRevisionBytes = 8;
    internal const int Rab = 72;
    internal const int Cmic = 76;
    internal const int Mdts = 77;
    internal const int Cntlid = 78;
    internal const int Ver = 80;
    internal const int Oaes = 92;
    internal const int Cntrltype = 111;
    internal const int Oacs = 256;
    internal const int Acl = 258;
    internal const int Aerl = 259;
    internal const int Frmw = 260;
    internal const int Lpa = 261;
    internal const int Elpe = 262;
    internal const int Wctemp = 266;
    internal const int Cctemp = 268;
    internal const int Sqes = 512;
    internal const int Cqes = 513;
    internal const int Nn = 516;
    internal const int Oncs = 520;
    internal const int Vwc = 525;
    internal const int Subnqn = 768, SubnqnBytes = 256;
    internal const int PowerState0 = 2048;

    internal const byte CmicMultipleControllers = 1 << 1, CmicVirtualFunction = 1 << 2;
    internal const byte CntrltypeIo = 1;
    internal const ushort OacsVirtualizationManagement = 1 << 7, OacsDoorbellBufferConfig = 1 << 8;
    internal const uint OaesNamespaceAttribute = 1 << 8;
    internal const byte FrmwSlot1ReadOnly = 1, FrmwOneSlot = 1 << 1;
    internal const byte LpaCommandsSupported = 1 << 1, LpaExtendedData = 1 << 2;
    internal const ushort OncsCompare = 1, OncsDatasetManagement = 1 << 2, OncsWriteZeroes = 1 << 3, OncsSelect = 1 << 4,
        OncsTimestamp = 1 << 6, OncsVerify = 1 << 7;

    /// <summary>A volatile write cache; Flush takes the id of all namespaces.</summary>
    internal const byte VwcPresent = 1, VwcBroadcast = 3 << 1;
}

/// <summary>Fields of Identify Namespace. Source: NVM Express Base Specification 1.4, figure 245.</summary>
internal static class IdentifyNamespace
{
    internal const int Nsze = 0;
    internal const int Ncap = 8;
    internal const int Nuse = 16;
    internal const int Nsfeat = 24;
    internal const int Nmic = 30;
    internal const int Dlfeat = 33;
    internal const int Nvmcap = 48;
    internal const int Npwg = 64;
    internal const int Npwa = 66;
    internal const int Npdg = 68;
    internal const int Npda = 70;
    internal const int Nguid = 104;
    internal const int Lbaf0 = 128;

    /// <summary>Where the logarithm of the block size lies in an LBA format.</summary>
    internal const int LbafDataSize = 2;

    internal const byte NsfeatOptimalSizes = 1 << 4;
    internal const byte NmicShared = 1;

    /// <summary>Deallocated blocks read as zeroes, and Write Zeroes may deallocate.</summary>
    internal const byte DlfeatZeroes = 1, DlfeatWriteZeroes = 1 << 3;
}

/// <summary>Namespace identification descriptors. Source: NVM Express Base Specification 1.4, figure 249.</summary>
internal static class NamespaceDescriptor
{
    internal const int Type = 0;
    internal const int Length = 1;
    internal const int Identifier = 4;
    internal const byte TypeNguid = 2;
    internal const byte TypeUuid = 3;
}

/// <summary>The command set independent namespace structure. Source: NVM Express Base Specification 2.0, figure 280.</summary>
internal static class IndependentNamespace
{
    internal const int Nmic = 1;
    internal const int Nstat = 14;
    internal const byte NstatReady = 1;
}

/// <summary>Fields of Primary Controller Capabilities. Source: NVM Express Base Specification 1.4, figure 253.</summary>
internal static class PrimaryCapabilities
{
    internal const int Cntlid = 0;
    internal const int Crt = 4;

    /// <summary>Where the fields of virtual queues begin, and those of virtual interrupts: both are laid out alike.</summary>
    internal const int Queues = 32, Interrupts = 64;
    internal const int FlexibleTotal = 0;
    internal const int FlexibleAssigned = 4;
    internal const int FlexiblePrimary = 8;
    internal const int PrivateTotal = 10;
    internal const int FlexibleSecondaryMax = 12;
    internal const int Granularity = 14;
    internal const byte CrtQueues = 1, CrtInterrupts = 2;
}

/// <summary>Fields of the Secondary Controller List. Source: NVM Express Base Specification 1.4, figures 254 and 255.</summary>
internal static class SecondaryList
{
    internal const int Count = 0;
    internal const int First = 32;
    internal const int EntryBytes = 32;
    internal const int MaxEntries = 127;
    internal const int Scid = 0;
    internal const int Pcid = 2;
    internal const int Scs = 4;
    internal const int Vfn = 8;
    internal const int Nvq = 10;
    internal const int Nvi = 12;
    internal const byte ScsOnline = 1;
}
