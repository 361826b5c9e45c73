using Microsoft.Extensions.Logging;
using Vfio;
using Vfio.Core;

namespace Gpio;

/// <summary>How the device is made.</summary>
/// <param name="Migrates">Whether it can be migrated.</param>
internal sealed record GpioOptions(bool Migrates);

/// <summary>
/// An ACCES PCI-IDIO-16 as libvfio-user's sample has it: what is written to an output counts, and every third count shows on the input of
/// the same number. Linux's gpio-pci-idio-16 drives it.
/// </summary>
internal sealed class GpioDevice : MediatedPciDevice
{
    private const int Bar = 2;
    private static readonly PciId Ids = new(0x494F, 0x0DC8, 0, 0, ClassCode: 0, Revision: 0);
    private readonly Pins _pins;

    public GpioDevice(GpioOptions options, ILogger<GpioDevice>? logger = null)
        : base(Ids, logger)
    {
        _pins = new(DriveIntx);
        AddBar(Bar, new GpioRegisters(_pins), BarKind.Io);
        Migration = options.Migrates ? new GpioMigration(_pins) : null;
    }

    public override IMigration? Migration { get; }

    protected override ValueTask ResetDeviceAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        _pins.Reset();
        return ValueTask.CompletedTask;
    }
}
