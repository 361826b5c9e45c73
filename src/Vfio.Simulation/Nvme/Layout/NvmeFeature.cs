namespace Vfio.Simulation.Nvme.Layout;

/// <summary>Feature identifiers. Source: NVM Express Base Specification 1.4, figure 271.</summary>
internal enum NvmeFeature : byte
{
    Arbitration = 0x01,
    PowerManagement = 0x02,
    TemperatureThreshold = 0x04,
    ErrorRecovery = 0x05,
    VolatileWriteCache = 0x06,
    NumberOfQueues = 0x07,
    InterruptCoalescing = 0x08,
    InterruptVector = 0x09,
    WriteAtomicity = 0x0A,
    AsyncEvents = 0x0B,
    Timestamp = 0x0E,
}

/// <summary>Asynchronous event types and what they point to. Source: NVM Express Base Specification 1.4, figures 146 to 150.</summary>
internal enum AsyncEventType : byte
{
    Error = 0,
    Health = 1,
    Notice = 2,
}

/// <summary>Information of asynchronous events, per type.</summary>
internal static class AsyncEventInfo
{
    internal const byte TemperatureThreshold = 1;
    internal const byte NamespaceAttribute = 0;
}
