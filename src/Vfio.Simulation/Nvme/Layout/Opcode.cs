namespace Vfio.Simulation.Nvme.Layout;

/// <summary>Admin opcodes. Source: NVM Express Base Specification 1.4, figure 139.</summary>
internal enum AdminOpcode : byte
{
    DeleteSubmissionQueue = 0x00,
    CreateSubmissionQueue = 0x01,
    GetLogPage = 0x02,
    DeleteCompletionQueue = 0x04,
    CreateCompletionQueue = 0x05,
    Identify = 0x06,
    Abort = 0x08,
    SetFeatures = 0x09,
    GetFeatures = 0x0A,
    AsyncEventRequest = 0x0C,
    NamespaceManagement = 0x0D,
    NamespaceAttachment = 0x15,
    VirtualizationManagement = 0x1C,
    DoorbellBufferConfig = 0x7C,
    FormatNvm = 0x80,
}

/// <summary>NVM command set opcodes. Source: NVM Express Base Specification 1.4, figure 346.</summary>
internal enum IoOpcode : byte
{
    Flush = 0x00,
    Write = 0x01,
    Read = 0x02,
    Compare = 0x05,
    WriteZeroes = 0x08,
    DatasetManagement = 0x09,
    Verify = 0x0C,
}
