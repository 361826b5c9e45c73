namespace Vfio.Simulation.Nvme.Io;

/// <summary>What the SMART log page tells of a controller. Used by the controller's thread alone.</summary>
internal sealed class HealthInformation
{
    /// <summary>Composite temperature in kelvins: the model is always at 40 degrees Celsius.</summary>
    internal const ushort Temperature = 313;

    private const int UnitBytes = 512 * 1000;
    private ulong _bytesRead;
    private ulong _bytesWritten;

    internal ulong ReadCommands { get; private set; }

    internal ulong WriteCommands { get; private set; }

    internal ulong MediaErrors { get; private set; }

    /// <summary>In thousands of 512 bytes, rounded up.</summary>
    internal ulong UnitsRead => (_bytesRead + UnitBytes - 1) / UnitBytes;

    /// <summary>In thousands of 512 bytes, rounded up.</summary>
    internal ulong UnitsWritten => (_bytesWritten + UnitBytes - 1) / UnitBytes;

    internal void CountRead(long bytes)
    {
        ReadCommands++;
        _bytesRead += (ulong)bytes;
    }

    internal void CountWrite(long bytes)
    {
        WriteCommands++;
        _bytesWritten += (ulong)bytes;
    }

    internal void CountMediaError() => MediaErrors++;
}
