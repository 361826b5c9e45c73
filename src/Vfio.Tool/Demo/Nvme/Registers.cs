namespace Vfio.Tool.Demo.Nvme;

/// <summary>Controller registers. Source: NVM Express Base Specification 2.3, 3.1.4.</summary>
internal static class Registers
{
    public const ulong Capabilities = 0x00, Version = 0x08, Configuration = 0x14, Status = 0x1C, SubsystemReset = 0x20;
    public const ulong AdminQueueAttributes = 0x24, AdminSubmissionQueue = 0x28, AdminCompletionQueue = 0x30, Doorbells = 0x1000;

    public const ulong SubsystemResetSupported = 1ul << 36;
    public const uint Enable = 1, Ready = 1, SubsystemResetOccurred = 1 << 4;

    /// <summary>CC: enabled, NVM command set, 4 KiB pages, 64-byte submission and 16-byte completion queue entries.</summary>
    public const uint EnabledConfiguration = Enable | (6 << 16) | (4 << 20);

    /// <summary>CAP.TO is in units of 500 ms.</summary>
    public static TimeSpan Timeout(ulong capabilities) => TimeSpan.FromMilliseconds(500 * Math.Max(1, (capabilities >> 24) & 0xFF));

    public static ulong Doorbell(ulong capabilities, int queue, bool completion)
        => Doorbells + ((ulong)((2 * queue) + (completion ? 1 : 0)) * (4ul << (int)((capabilities >> 32) & 0xF)));
}
