using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Core.Config;
using Vfio.Core.Reset;
using Vfio.Core.Sets;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core;

/// <summary>Brings a function up for a client: the kernel's <c>vfio_pci_core_enable</c>, in its order.</summary>
internal sealed class SessionOpener(IPciFunction function, ILogger logger, VfioPciCoreOptions options, SetMember member)
{
    /// <summary>Opens.</summary>
    /// <returns>
    /// ENODEV: nothing answers. EINVAL: not a type 0 header, or a VF token that is of no use. EACCES: the VF token is missing or wrong.
    /// EAGAIN: the reset was refused for now.
    /// </returns>
    public async ValueTask<VfioResult<CoreSession>> OpenAsync(
        VfioOpenContext context, IPciResetHooks hooks, CancellationToken cancellationToken)
    {
        if (function.ReadConfig(RevisionAndClass, 4) == uint.MaxValue)
            return Errno.ENODEV;
        if ((function.ReadConfig(HeaderType, 1) & HeaderTypeMask) != 0)
            return Errno.EINVAL;
        // The session builds it once more, after the reset, and tells what is wrong with it.
        var map = new ConfigMapBuilder(function, NullLogger.Instance);
        map.Build();
        var token = VfTokenUse.Begin(
            options.Sets, function, map.Map.Extended(CapabilityRegisters.SrIov.Id) != 0, context.VfToken, logger);
        if (!token.IsSuccess)
            return token.Error;
        CoreSession? session = null;
        try
        {
            var opened = await OpenAsync(context.Dma, hooks, map.Map, token.Value!, cancellationToken).ConfigureAwait(false);
            session = opened.IsSuccess ? opened.Value : null;
            return opened;
        }
        finally
        {
            if (session is null)
                token.Value!.End();
        }
    }

    private async ValueTask<VfioResult<CoreSession>> OpenAsync(
        IDmaSpace dma, IPciResetHooks hooks, ConfigMap map, VfTokenUse token, CancellationToken cancellationToken)
    {
        var gate = new AccessGate();
        var notifier = new ResetNotifier(gate, hooks);
        var power = new PowerControl(function, map, notifier);
        await gate.CloseAsync(dma.CancelTransfers, cancellationToken).ConfigureAwait(false);
        try
        {
            power.Set(PowerControl.D0);
            // Decoding on for the BARs that are there, and no bus mastering before the client asks for it.
            function.WriteConfig(Command, 2, (function.ReadConfig(Command, 2) & ~CommandMaster) | Decoding());
            var method = new FunctionReset(function, map, power, notifier);
            var reset = await method.RunAsync(ResetCause.Open, cancellationToken).ConfigureAwait(false);
            if (reset.Error == Errno.EAGAIN)
                return Errno.EAGAIN;
            if (!reset.IsSuccess && logger.IsEnabled(LogLevel.Information))
                logger.LogInformation("{Function}: no reset at open: {Error}", function.Address, reset.Error);
            var pristine = ConfigSnapshot.Take(function, map.Saved);
            SetIntxDisable(options.HideIntx);
            var session = new CoreSession(
                function, logger, options, member, gate, notifier, power, pristine, dma, reset.IsSuccess, token);
            session.Connect();
            return session;
        }
        finally
        {
            gate.Open();
        }
    }

    private uint Decoding()
    {
        uint decoding = 0;
        for (var i = RegionIndex.Bar0; i <= RegionIndex.Bar5; i++)
            decoding |= function.Bar(i) is { } bar ? (bar.Kind == BarKind.Io ? CommandIo : CommandMemory) : 0;
        return decoding;
    }

    private void SetIntxDisable(bool disabled)
    {
        var command = function.ReadConfig(Command, 2);
        if ((command & CommandIntxDisable) != 0 != disabled)
            function.WriteConfig(Command, 2, command ^ CommandIntxDisable);
    }
}
