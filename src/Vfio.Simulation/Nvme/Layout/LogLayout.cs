namespace Vfio.Simulation.Nvme.Layout;

/// <summary>Log page identifiers. Source: NVM Express Base Specification 1.4, figure 191.</summary>
internal enum LogPage : byte
{
    ErrorInformation = 0x01,
    Health = 0x02,
    FirmwareSlot = 0x03,
    ChangedNamespaces = 0x04,
    CommandsSupported = 0x05,
}

/// <summary>An entry of the Error Information log. Source: NVM Express Base Specification 1.4, figure 193.</summary>
internal static class ErrorEntry
{
    internal const int Bytes = 64;
    internal const int ErrorCount = 0;
    internal const int SubmissionQueueId = 8;
    internal const int CommandId = 10;
    internal const int StatusField = 12;
    internal const int ParameterLocation = 14;
    internal const int NamespaceId = 24;
}

/// <summary>The SMART / Health Information log. Source: NVM Express Base Specification 1.4, figure 194.</summary>
internal static class HealthLog
{
    internal const int Bytes = 512;
    internal const int CriticalWarning = 0;
    internal const int Temperature = 1;
    internal const int AvailableSpare = 3;
    internal const int SpareThreshold = 4;
    internal const int UnitsRead = 32;
    internal const int UnitsWritten = 48;
    internal const int ReadCommands = 64;
    internal const int WriteCommands = 80;
    internal const int PowerCycles = 112;
    internal const int PowerOnHours = 128;
    internal const int MediaErrors = 160;
    internal const int ErrorEntries = 176;
    internal const int TemperatureSensor1 = 200;
    internal const byte WarningTemperature = 1 << 1;
}

/// <summary>The Firmware Slot Information log. Source: NVM Express Base Specification 1.4, figure 195.</summary>
internal static class FirmwareLog
{
    internal const int Bytes = 512;
    internal const int ActiveSlot = 0;
    internal const int Slot1 = 8;
}

/// <summary>The Commands Supported and Effects log. Source: NVM Express Base Specification 1.4, figure 197.</summary>
internal static class EffectsLog
{
    internal const int Bytes = 4096;
    internal const int Admin = 0;
    internal const int Io = 1024;
    internal const uint Supported = 1;
    internal const uint ContentChange = 1 << 1;
    internal const uint CapabilityChange = 1 << 4;
}
