namespace Vfio.Simulation.Nvme.Layout;

/// <summary>Controller registers in BAR0 and their fields. Source: NVM Express Base Specification 1.4, 3.1.</summary>
internal static class Register
{
    internal const int Cap = 0x00;
    internal const int Vs = 0x08;
    internal const int Intms = 0x0C;
    internal const int Intmc = 0x10;
    internal const int Cc = 0x14;
    internal const int Csts = 0x1C;
    internal const int Nssr = 0x20;
    internal const int Aqa = 0x24;
    internal const int Asq = 0x28;
    internal const int Acq = 0x30;

    /// <summary>The end of what has a meaning here; the rest of the page reads 0.</summary>
    internal const int End = 0x38;

    internal const uint CcEnable = 1;
    internal const uint CstsReady = 1;
    internal const uint CstsFatal = 1 << 1;
    internal const uint CstsShutdownComplete = 2 << 2;
    internal const uint CstsShutdownMask = 3 << 2;
    internal const uint CstsSubsystemReset = 1 << 4;

    /// <summary>"NVMe": what a subsystem reset is asked for with.</summary>
    internal const uint NssrValue = 0x4E564D65;

    internal const uint Version14 = 0x00010400;

    internal static uint CcCommandSet(uint cc) => (cc >> 4) & 7;

    internal static int CcPageShift(uint cc) => 12 + (int)((cc >> 7) & 0xF);

    internal static uint CcArbitration(uint cc) => (cc >> 11) & 7;

    internal static uint CcShutdown(uint cc) => (cc >> 14) & 3;

    internal static uint CcSubmissionEntrySize(uint cc) => (cc >> 16) & 0xF;

    internal static uint CcCompletionEntrySize(uint cc) => (cc >> 20) & 0xF;
}
